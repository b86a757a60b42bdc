from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.local import doctor
from gateway.operations import OPERATIONS

SERVERS = [
    {
        "uuid": "5e0b8a2c-0000-4000-8000-000000000000",
        "status": "running",
        "sysinfo": {"Docker Capabilities": ["a", "b"]},
    },
    {"uuid": "5e0b8a2c-0000-4000-8000-000000000001", "status": "unknown", "sysinfo": {}},
]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run the command in an empty folder, with none of this shell's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    def run(*args: str, **environ: str):
        return CliRunner(env={"INSTANCE": "z", **environ}).invoke(main, args)

    return run


@pytest.fixture
def cnapi():
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(SERVERS).encode() if self.path.startswith("/servers?") else b"{}"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_doctor_says_what_is_missing_and_how_to_get_it(command, monkeypatch):
    monkeypatch.setattr(doctor, "_command", lambda names: "" if "conmon" in names or "tini" in names else "/bin/x")
    done = command("doctor")
    lines = {line[9:].split()[0]: line for line in done.stdout.splitlines()}
    assert lines["conmon"].split() == ["MISSING", "conmon", "apt-get", "install", "conmon"]
    assert lines["docker-init"].startswith("absent")
    assert lines["curl"].startswith("ok")
    assert done.exit_code == 1


def test_status_names_the_processes_that_do_not_run(command):
    done = command("status", COMPUTE_NODES="2")
    assert [line.split(maxsplit=1)[0] for line in done.stdout.splitlines()] == [
        "services", "node-0", "node-1", "gateway", "docker", "cloudapi",
    ]  # fmt: skip
    assert done.stdout.count("not running") == 4
    assert done.exit_code == 1


def test_a_wrong_instance_is_a_sentence_not_a_traceback(command):
    done = command("status", INSTANCE="zz")
    assert done.exit_code == 1
    assert done.stderr == "Error: INSTANCE is one letter, a to z, not 'zz'\n"


def test_down_without_an_instance_says_so(command):
    assert command("down").stdout == "nothing is up\n"


def test_routes_lists_every_operation(command):
    lines = command("routes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [row.name for row in OPERATIONS]
    fates = {line.split()[0]: " ".join(line.split()[3:]) for line in lines}
    assert fates["container.create"] == "served"
    assert fates["swarm.init"] == "refused (503)"


def test_middleware_prints_the_chain_of_every_operation(command):
    lines = command("middleware").stdout.splitlines()
    chains = {line.split()[0]: line for line in lines}
    assert chains.keys() == {row.name for row in OPERATIONS}
    assert chains["system.ping"].endswith("(open)")
    assert "quota" in chains["container.create"]
    assert "quota" not in chains["container.list"]


def test_members_are_found_in_the_folder_where_the_command_is_run(command, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [entry for entry in __import__("sys").path if entry != str(tmp_path)])
    tmp_path.joinpath("our_member_of_the_chain.py").write_text(
        "from middleware.base import Middleware\n"
        "class Ours(Middleware):\n"
        "    name = 'ours'\n"
        "    def before(self, call): pass\n"
    )
    settings = tmp_path / "gateway.toml"
    settings.write_text('chain = ["request_id", "authentication", "our_member_of_the_chain.Ours"]\n')
    done = command("middleware", GATEWAY_CONFIG=str(settings))
    assert done.exit_code == 0, done.output
    assert "ours (before)" in done.stdout


def test_a_chain_that_cannot_be_loaded_is_a_sentence(command, tmp_path):
    settings = tmp_path / "gateway.toml"
    settings.write_text('chain = ["authentification"]\n')
    done = command("middleware", GATEWAY_CONFIG=str(settings))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: chain: there is no middleware 'authentification'")


def test_capabilities_are_those_of_the_servers(command, cnapi):
    done = command("capabilities", GATEWAY_SERVICES__CNAPI=cnapi)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:2] == [f"{SERVERS[0]['uuid']} running a, b", f"{SERVERS[1]['uuid']} unknown (a plain node)"]
    assert "container.create HostConfig.Init ignored, with a warning (needs linux-options)" in lines
    assert not any(" HostConfig.Dns " in line for line in lines)
    everything = command("capabilities", "--all", GATEWAY_SERVICES__CNAPI=cnapi).stdout
    assert "HostConfig.Dns " in everything


def test_settings_files_are_named_on_the_command_line(command, tmp_path, cnapi):
    settings = tmp_path / "ours.toml"
    settings.write_text(f'chain = ["request_id", "authentication"]\n[services]\ncnapi = "{cnapi}"\n')
    assert SERVERS[0]["uuid"] in command("capabilities", "--config", str(settings)).stdout
    chains = command("middleware", "--config", str(settings)).stdout
    assert "authentication" in chains
    assert "quota" not in chains
    settings.write_text("workers = 0\n")
    for name in ("capabilities", "middleware"):
        refused = command(name, "--config", str(settings))
        assert (refused.exit_code, "workers" in refused.stderr) == (1, True)


def test_a_data_center_that_does_not_answer_is_a_sentence(command):
    done = command("capabilities", GATEWAY_SERVICES__CNAPI="http://127.0.0.1:9")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: cnapi: ")
