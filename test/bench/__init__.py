"""The bench programs (store and load, built by make bench) and what /proc says about the processes that they try."""
