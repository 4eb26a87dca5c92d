"""What users look up to set their mail programs up: homewardctl settings, the page, and what programs fetch."""
import xml.etree.ElementTree

import pytest

from harness import homeward

from test_metrics import get, served  # noqa: F401  the same house, served over HTTP

SERVERS = [
    {"host": "mail.demo.test"},
    {"protocol": "pop3", "host": "mail.demo.test"},
    {"protocol": "imap", "host": "imap.in.demo.test", "port": 1143, "tls": "starttls", "inside": True},
    {"protocol": "smtp", "host": "smtp.demo.test", "tls": "starttls"},
]
SETTINGS = {"title": "Demo & <Sons>", "words": "Ask the help desk.", "help": "https://help.demo.test/?a=1&b=2",
            "domains": ["demo.test", "example.test"], "servers": SERVERS}


@pytest.fixture
def told(served):  # noqa: F811
    instance, doors, port = served
    tell(instance, settings=SETTINGS)
    return instance, port


def tell(instance, **groups):
    instance.settings.update(groups)
    instance.reload()


def servers_of(port):
    status, text, _ = get(port, "/mail/config-v1.1.xml")
    assert status == 200
    provider = xml.etree.ElementTree.fromstring(text).find("emailProvider")
    return [(each.get("type"), *(each.findtext(key) for key in ("hostname", "port", "socketType", "username",
                                                                "authentication")))
            for each in provider if each.tag.endswith("Server")]


def test_mail_programs_fetch_what_holds_outside(told):
    _, port = told
    address = ("%EMAILADDRESS%", "password-cleartext")
    assert servers_of(port) == [("imap", "mail.demo.test", "993", "SSL", *address),
                                ("pop3", "mail.demo.test", "995", "SSL", *address),
                                ("smtp", "smtp.demo.test", "587", "STARTTLS", *address)]
    provider = xml.etree.ElementTree.fromstring(get(port, "/.well-known/autoconfig/mail/config-v1.1.xml")[1])[0]
    assert [each.text for each in provider.findall("domain")] == ["demo.test", "example.test"]
    assert provider.findtext("displayName") == "Demo & <Sons>"


def test_the_page_shows_people_the_table(told):
    _, port = told
    status, text, headers = get(port, "/settings")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    for words in ("mail.demo.test<br>port 993, SSL/TLS", "imap.in.demo.test<br>port 1143, STARTTLS", "inside only",
                  "smtp.demo.test", "Demo &#38; &#60;Sons&#62;", "Ask the help desk.", "your whole address"):
        assert words in text
    assert "<Sons>" not in text


def test_a_protocol_that_is_off_is_told_to_nobody(told):
    instance, port = told
    tell(instance, pop3="off")
    assert [each[0] for each in servers_of(port)] == ["imap", "smtp"]
    assert "POP3" not in get(port, "/settings")[1]
    assert "_pop3s._tcp.demo.test. 3600 IN SRV 0 0 0 ." in instance.ctl("settings", "dns")


def test_dns_records_name_every_service_of_every_domain(told):
    instance, _ = told
    lines = instance.ctl("settings", "dns").splitlines()
    assert "_imaps._tcp.demo.test. 3600 IN SRV 0 1 993 mail.demo.test." in lines
    assert "_imap._tcp.demo.test. 3600 IN SRV 0 0 0 ." in lines
    assert "_submission._tcp.example.test. 3600 IN SRV 0 1 587 smtp.demo.test." in lines
    assert len(lines) == 12


def test_without_settings_nothing_is_guessed(served):  # noqa: F811
    instance, _, port = served
    assert get(port, "/settings")[0] == 404
    assert get(port, "/mail/config-v1.1.xml")[0] == 404
    instance.ctl("settings", status=1)
