/* homeward doctor: looks at what a machine must have for Homeward to be well on it. */
#ifndef PROXY_ADMIN_DOCTOR_H
#define PROXY_ADMIN_DOCTOR_H

/* argv[0] is "doctor". The exit status: 0 nothing is bad, 1 something is, 2 usage. */
int doctor_run(int argc, char **argv);

#endif
