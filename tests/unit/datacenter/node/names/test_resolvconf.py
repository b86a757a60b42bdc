"""What a container's /etc/resolv.conf says, and when it changes while the container runs."""

from __future__ import annotations

import pytest

from datacenter.node.names import resolvconf
from datacenter.node.names.facts import KEY
from datacenter.node.zone import Zone

NETWORK = "f0000000-0000-4000-8000-000000000000"
PLAIN = "nameserver 192.0.2.1\nnameserver 192.0.2.2\n"
NAMED = "nameserver 127.0.0.11\noptions ndots:0\n"


@pytest.fixture
def zone_of(tmp_path):
    def make(*, named=False, dns=("192.0.2.1", "192.0.2.2"), **metadata):
        nics = [{"network_uuid": NETWORK, "ip": "10.0.0.5"}]
        metadata |= {KEY + NETWORK: '{"network": "net"}'} if named else {}
        zone = Zone(tmp_path, {"uuid": "u", "resolvers": list(dns), "nics": nics, "internal_metadata": metadata})
        zone.bundle.mkdir(exist_ok=True)
        return zone

    return make


@pytest.mark.parametrize(("named", "text"), [(False, PLAIN), (True, NAMED)])
def test_a_container_with_names_asks_its_node(zone_of, named, text):
    assert resolvconf.text(zone_of(named=named)) == text


@pytest.mark.parametrize(("options", "shown"), [
    ('["timeout:1"]', "timeout:1 ndots:0"), ('["ndots:3", "rotate"]', "ndots:3 rotate")
])  # fmt: skip
def test_search_domains_and_options_are_those_asked_for(zone_of, options, shown):
    metadata = {"docker:dnssearch": '["a.test", "b.test"]', "docker:linux": f'{{"DnsOptions": {options}}}'}
    assert resolvconf.text(zone_of(named=True, **metadata)) == (
        f"nameserver 127.0.0.11\nsearch a.test b.test\noptions {shown}\n"
    )
    plain = resolvconf.text(zone_of(dns=["192.0.2.1"], **metadata))
    assert plain.startswith("nameserver 192.0.2.1\nsearch a.test b.test\noptions ")
    assert "ndots:0" not in plain


def test_a_search_for_nothing_is_no_line(zone_of):
    assert resolvconf.text(zone_of(**{"docker:dnssearch": '["."]'})) == PLAIN


def test_the_node_does_not_ask_itself(zone_of):
    assert resolvconf.servers(zone_of(dns=["127.0.0.11", "192.0.2.9"])) == ["192.0.2.9"]


@pytest.mark.parametrize(("found", "before", "named", "after"), [
    (PLAIN, PLAIN, True, NAMED),
    (NAMED, NAMED, False, PLAIN),
    (PLAIN, NAMED, True, NAMED),  # the record was changed before the agent died, the file was not
    ("nameserver 198.51.100.1\n", "nameserver 198.51.100.1\n", False, PLAIN),  # its servers were changed
    ("nameserver 198.51.100.1\n", PLAIN, True, "nameserver 198.51.100.1\n"),  # the container wrote that
    (f"{PLAIN}# mine\n", PLAIN, True, f"{PLAIN}# mine\n"),
])  # fmt: skip
def test_the_file_follows_unless_it_is_the_containers_own(zone_of, found, before, named, after):
    zone = zone_of(named=named)
    (zone.bundle / "resolv.conf").write_text(found)
    resolvconf.change(zone, before)
    assert (zone.bundle / "resolv.conf").read_text() == after
