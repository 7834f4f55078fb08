"""Every sh block of the pages runs as it stands, in order, against a stack of make up."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests" / "support"))
from stack import BIN, Stack  # noqa: E402

# make test runs this very test; make demo and make up have tests of their own.
ELSEWHERE = re.compile(r"^make (test|demo)$")


def blocks(page):
    text = (HERE / page).read_text()
    return [b for b in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) if not ELSEWHERE.match(b.strip())]


@pytest.fixture(scope="module")
def stack():
    with Stack(capacity=1000) as s:
        yield s


@pytest.mark.parametrize("page", ["docs/http.md", "docs/operating.md", "docs/sql.md", "docs/dispatch.md"])
def test_the_commands_of_a_page_run(stack, page):
    found = blocks(page)
    assert found
    # -f for curl would hide the answers of pages that show errors: statuses are checked by other tests.
    script = "set -euo pipefail\n" + "\n".join(found)
    script = script.replace("build/bin/", str(BIN) + "/")
    done = subprocess.run(["bash", "-c", script], cwd=HERE, env=os.environ | stack.env, capture_output=True,
                          text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


@pytest.mark.parametrize("language,argv", [("python", ["/usr/bin/python3", "-"]), ("js", ["node", "--input-type=module", "-"])])
def test_the_programs_of_the_guide_run(stack, language, argv):
    text = (HERE / "docs/http.md").read_text()
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    assert found
    for program in found:
        done = subprocess.run(argv, input=program, env=os.environ | stack.env, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^[0-9A-Z]{5}-[0-9A-Z]{5} ", done.stdout), done.stdout


def test_the_commands_of_the_readme_run():
    script = "set -euo pipefail\n" + "\n".join(blocks("README.md"))
    run_dir = HERE / "build" / "run"
    assert not (run_dir / "pid" / "supervisor").exists(), "a stack is up: make down first"
    try:
        done = subprocess.run(["bash", "-c", script], cwd=HERE, capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["make", "down"], cwd=HERE, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"ref"' in done.stdout


def test_make_demo_ends_with_a_clean_verify():
    done = subprocess.run(["make", "demo"], cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT FOR PRODUCTION" in done.stdout
    ready = re.search(r"ready +after ([0-9.]+) s", done.stdout)
    assert ready and float(ready[1]) < 60, done.stdout


def test_the_page_of_options_is_what_the_programs_say():
    done = subprocess.run([str(HERE / "tools" / "options-doc"), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_link_of_a_page_leads_somewhere():
    pages = [HERE / "README.md", HERE / "CHANGELOG.md", *sorted((HERE / "docs").glob("*.md"))]
    dead = []
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path = target.split("#")[0]
            if path and "://" not in path and not (page.parent / path).exists():
                dead.append(f"{page.relative_to(HERE)}: {target}")
    assert len(pages) > 5 and not dead, dead
