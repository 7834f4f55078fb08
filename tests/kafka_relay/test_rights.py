"""A Kafka with access control: what the relay may not do ends it with a sentence; what the documentation gives is enough."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from private_stack import services
from relay_alone import HERE, World
from test_refusals import EXIT_KAFKA, sentence


@pytest.fixture(scope="module")
def guarded():
    """A broker of its own, where all is allowed that no rule forbids."""
    directory = Path(tempfile.mkdtemp(prefix="rights-", dir=HERE / "build"))
    for name in ("log", "pid"):
        (directory / name).mkdir()
    port, controller_port = services.free_ports(2)
    process = services.kafka(directory, dict(os.environ), port, controller_port, more={
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true"})
    process.start()
    try:
        services.wait_for(lambda: services.kafka_answers(port), process, "Kafka")
        yield f"127.0.0.1:{port}"
    finally:
        process.ask_to_stop()
        process.wait_stopped()
        shutil.rmtree(directory)


@pytest.fixture
def g(guarded, monkeypatch):
    monkeypatch.setenv("SQUAD_KAFKA", guarded)
    world = World()
    try:
        yield world
    finally:
        world.close()


def acls(w, *rules):
    """rules: options of kafka-acls, such as --deny-principal User:ANONYMOUS."""
    command = ["java", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={HERE}/tools/kafka/log4j2.properties",
               "-cp", f"{services.KAFKA_LIB}/*", "org.apache.kafka.tools.AclCommand", "--bootstrap-server", w.broker, "--force"]
    done = subprocess.run([*command, *rules], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_right_to_read_a_topic_it_ends_and_says_which(g):
    g.write(5)
    g.drain()
    acls(g, "--add", "--deny-principal", "User:ANONYMOUS", "--operation", "Read", "--topic", g.topic("tickets"))
    acls(g, "--add", "--allow-principal", "User:ANONYMOUS", "--operation", "All", "--topic", g.topic("tickets"))
    g.write(5)
    code, log = g.refused()
    assert code == EXIT_KAFKA and g.topic("tickets") in sentence(log)[0], log
    acls(g, "--remove", "--deny-principal", "User:ANONYMOUS", "--operation", "Read", "--topic", g.topic("tickets"))
    g.drain()
    assert g.check() == 10


def test_the_rights_that_the_documentation_names_are_enough(g):
    for t in ("tickets", "experts", "notices", "dead", "relay.progress"):
        acls(g, "--add", "--allow-principal", "User:ANONYMOUS", "--topic", g.topic(t),
             "--operation", "Read", "--operation", "Write", "--operation", "DescribeConfigs")
    for id_ in "ab":
        acls(g, "--add", "--allow-principal", "User:ANONYMOUS", "--operation", "Write",
             "--transactional-id", f"{g.prefix}-relay-{id_}")
    g.write(5)
    g.drain()
    g.write(5)
    g.drain()
    assert g.check() == 10
