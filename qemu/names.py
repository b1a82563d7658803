"""Answers to DNS queries, the same for whoever asks: enough for a machine to believe that the name exists."""

import json
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

#: What every name resolves to that has no addresses of its own: the sink.
SINK_V4, SINK_V6 = "192.0.2.80", "2001:db8::80"
#: Domains that do not exist. dnscrypt-proxy asks for a name below "test.dnscrypt" and expects to hear so.
NOWHERE = ("invalid.", "dnscrypt.")
_TTL = 60


class Names:
    """Answers from a file: a JSON object of names (absolute, lower case) to lists of addresses. It may change."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def answer(self, query: bytes) -> tuple[bytes, list[str]]:
        """Return the answer to a query in wire format, and what was asked as ``NAME TYPE``; or nothing."""
        try:
            asked = dns.message.from_wire(query)
            answer = dns.message.make_response(asked, recursion_available=True)
        except (dns.exception.DNSException, ValueError):
            return b"", []
        own: dict[str, list[str]] = json.loads(self._file.read_text()) if self._file.exists() else {}
        questions = []
        for question in asked.question:
            name = question.name.to_text().lower()
            questions.append(f"{name} {dns.rdatatype.to_text(question.rdtype)}")
            addresses = own.get(name, [SINK_V4, SINK_V6])
            if name.endswith(NOWHERE):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif question.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                fitting = [each for each in addresses if (":" in each) == (question.rdtype == dns.rdatatype.AAAA)]
                if fitting:
                    answer.answer.append(
                        dns.rrset.from_text_list(question.name, _TTL, question.rdclass, question.rdtype, fitting)
                    )
        return answer.to_wire(), questions
