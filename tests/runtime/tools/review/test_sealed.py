"""What `review` says of the template's files: edits, strays, gaps, versions, updates, patches."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.seal import read_record

from .reviewed import COMMIT, VERSION, Reviewed, lines_of

RUNTIME = "src/demo/checkpointing"
STORE = f"{RUNTIME}/disk/store.py"
PAGE = """# For coding assistants

<!-- yours -->
<!-- end of yours -->

## Never touch
"""
CONFLICT = "<<<<<<< ours\nA = 2\n=======\nA = 3\n>>>>>>> theirs\n"
FILES = {
    STORE: "A = 1\n\n\n\nB = 1\n",
    f"{RUNTIME}/codecs/raw.py": "C = 1\n",
    f"{RUNTIME}/README.md": "# The runtime\n",
    "AGENTS.md": PAGE,
}


@pytest.fixture
def project(tmp_path: Path) -> Reviewed:
    """A project with some files of the template, which are as recorded."""
    (tmp_path / "project").mkdir()
    return Reviewed(tmp_path / "project").put(FILES)


def problems(project: Reviewed) -> list[tuple[str, str]]:
    findings = project.findings()
    assert {finding.rule for finding in findings} <= {"CKP105"}
    return [(finding.path, finding.message) for finding in findings]


def write_patch(
    project: Reviewed,
    edits: dict[str, str | None],
    name: str = "fix",
    before: str = "Reason: until the template has it\n\n",
) -> None:
    """Make edits, by path (None deletes), and a patch of them, as a person does by git."""
    copies = project.folder.with_name("a"), project.folder.with_name("b")
    for copy in copies:
        shutil.copytree(project.folder, copy)
    for folder in (copies[1], project.folder):
        for path, text in edits.items():
            if text is None:
                (folder / path).unlink()
            else:
                (folder / path).write_text(text)
    command = ["git", "diff", "--no-index", "--no-prefix", "a", "b"]
    diff = subprocess.run(command, cwd=copies[0].parent, capture_output=True, text=True).stdout
    for copy in copies:
        shutil.rmtree(copy)
    project.put({f"patches/{name}.patch": before + diff})


def test_a_file_that_is_as_recorded_is_no_finding(project: Reviewed) -> None:
    assert problems(project) == []
    record = read_record(project.folder)
    assert record
    assert (record.template, record.version, record.commit) == ("a-template", VERSION, COMMIT)


def test_an_edit_a_stray_and_a_gap_are_distinguished(project: Reviewed) -> None:
    project.put({STORE: "A = 2\n", f"{RUNTIME}/new.py": "", f"{RUNTIME}/notes.txt": "ours"})
    (project.folder / RUNTIME / "codecs" / "raw.py").unlink()
    stray = "the file does not belong here: the template has none such"
    assert problems(project) == [
        ("checkpointing.sha256", f"`{RUNTIME}/codecs/raw.py` is missing"),
        (STORE, "the file was edited by hand"),
        (f"{RUNTIME}/new.py", stray),
        (f"{RUNTIME}/notes.txt", stray),
    ]


@pytest.mark.parametrize("path", ["AGENTS.md", f"{RUNTIME}/README.md"])
def test_what_is_no_python_is_looked_after_too(project: Reviewed, path: str) -> None:
    project.put({path: FILES[path] + "\nAsk the team first.\n"})
    assert problems(project) == [(path, "the file was edited by hand")]
    (project.folder / path).unlink()
    assert problems(project) == [("checkpointing.sha256", f"`{path}` is missing")]


def test_caches_are_no_strays(project: Reviewed) -> None:
    caches = ("__pycache__/store.cpython-311.pyc", ".mypy_cache/x.json", "disk/.DS_Store")
    assert problems(project.put({f"{RUNTIME}/{path}": b"\0" for path in caches})) == []


def test_a_file_of_the_team_s_where_the_template_gave_none_is_the_team_s(project: Reviewed) -> None:
    assert problems(project.put({".gitlab-ci.yml": "build:\n  script: [make]\n"})) == []


def test_what_stands_between_the_markers_is_the_team_s(project: Reviewed) -> None:
    page = PAGE.replace("<!-- yours -->\n", "<!-- yours -->\nWe deploy on Mondays.\n")
    assert problems(project.put({"AGENTS.md": page})) == []
    edited = page.replace("## Never touch", "## Touch")
    assert problems(project.put({"AGENTS.md": edited})) == [
        ("AGENTS.md", "the file was edited by hand")
    ]


@pytest.mark.parametrize(
    "page",
    [
        PAGE.replace("<!-- end of yours -->\n", "") + "<!-- end of yours -->\n",
        PAGE.replace("<!-- end of yours -->\n", ""),
        PAGE.replace("## Never", "<!-- yours -->\n## Always\n<!-- end of yours -->\n## Never"),
    ],
    ids=["the end moved down", "no end", "one more part"],
)
def test_markers_hide_nothing_of_the_template_s(project: Reviewed, page: str) -> None:
    assert problems(project.put({"AGENTS.md": page})) == [
        ("AGENTS.md", "the file was edited by hand")
    ]


def test_the_line_ends_that_git_gives_on_windows_are_no_edit(project: Reviewed) -> None:
    for path in FILES:
        file = project.folder / path
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert problems(project) == []


def test_a_record_that_was_removed_or_says_no_version_is_reported(project: Reviewed) -> None:
    record = project.folder / "checkpointing.sha256"
    missing = [("checkpointing.sha256", "the record of the template's files is missing")]
    record.write_text("".join(f"{line}\n" for line in record.read_text().splitlines()[3:]))
    assert problems(project) == missing
    record.unlink()
    assert problems(project) == missing


def test_a_runtime_of_another_version_is_one_finding_that_names_both(project: Reviewed) -> None:
    project.put({f"{RUNTIME}/__init__.py": '__version__ = "2.0.0"\n', STORE: "A = 9\n"})
    message = "the runtime is of version 2.0.0, the record of version 1.4.0"
    assert problems(project) == [("checkpointing.sha256", message)]


def test_a_conflict_that_an_update_left_is_reported_with_its_line(project: Reviewed) -> None:
    project.put({STORE: "X = 1\n" + CONFLICT})
    assert lines_of(project.findings()) == ["store.py:2 CKP105"]
    conflict = "an update did not arrive whole: a conflict is left here"
    assert problems(project) == [(STORE, conflict)]
    record = project.folder / "checkpointing.sha256"
    record.write_text(record.read_text() + CONFLICT)
    assert problems(project) == [("checkpointing.sha256", conflict)]


@pytest.mark.parametrize("path", [STORE, "AGENTS.md", "checkpointing.sha256"])
def test_changes_that_an_update_could_not_make_are_reported(project: Reviewed, path: str) -> None:
    message = "an update did not arrive whole: this did not fit into the file"
    assert problems(project.put({f"{path}.rej": "@@ -1 +1 @@\n"})) == [(f"{path}.rej", message)]


def test_files_of_another_commit_than_cruft_s_are_an_update_that_is_not_whole(
    project: Reviewed,
) -> None:
    project.put({".cruft.json": json.dumps({"commit": COMMIT})})
    assert problems(project) == []
    project.put({".cruft.json": json.dumps({"commit": "feed" * 10})})
    [(path, message)] = problems(project)
    assert path == ".cruft.json"
    assert message.startswith("an update did not arrive whole")
    assert "feedfeed" in message
    assert "5eed5eed" in message


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"commit": ""'])
def test_a_state_of_cruft_that_cannot_be_read_says_nothing(project: Reviewed, state: str) -> None:
    assert problems(project.put({".cruft.json": state})) == []


def test_an_edit_is_accepted_with_a_patch_that_gives_a_reason(project: Reviewed) -> None:
    write_patch(project, {STORE: "A = 2\n\n\n\nB = 1\n"})
    assert problems(project) == []


def test_several_patches_are_taken_off_the_last_one_first(project: Reviewed) -> None:
    write_patch(project, {STORE: "A = 2\n\n\n\nB = 1\n"}, "01-size")
    write_patch(project, {STORE: "A = 3\n\n\n\nB = 1\n"}, "02-more")
    assert problems(project) == []
    (project.folder / "patches" / "01-size.patch").unlink()
    assert problems(project) == [(STORE, "the file was edited by hand")]


def test_a_patch_may_add_and_delete_files(project: Reviewed) -> None:
    write_patch(project, {f"{RUNTIME}/more.py": "D = 1\n", "AGENTS.md": None})
    assert problems(project) == []


@pytest.mark.parametrize("before", ["", "Reason: \n\n", "Because I can.\n\n"])
def test_a_patch_without_a_reason_is_a_finding(project: Reviewed, before: str) -> None:
    write_patch(project, {STORE: "Reason = 'in the code alone'\n"}, before=before)
    message = "the patch gives no reason, in a line `Reason: ...`"
    assert problems(project) == [("patches/fix.patch", message)]


def test_a_patch_that_does_not_fit_is_named(project: Reviewed) -> None:
    write_patch(project, {STORE: "A = 2\n\n\n\nB = 1\n"})
    project.put({STORE: FILES[STORE]})
    [(path, message)] = problems(project)
    assert path == "patches/fix.patch"
    assert message.startswith("the patch does not fit: patch failed: ")
    assert "store.py:1" in message


def test_a_patch_accounts_for_what_it_says_and_no_more(project: Reviewed) -> None:
    write_patch(project, {STORE: "A = 2\n\n\n\nB = 1\n"})
    project.put({STORE: "A = 2\n\n\n\nB = 1\nX = 1\n"})
    [*_, (path, message)] = problems(project)
    assert (path, message) == (STORE, "the file was edited by hand")


@pytest.mark.parametrize("text", ["", "Reason: none is needed\n"])
def test_a_patch_without_a_diff_does_not_fit(project: Reviewed, text: str) -> None:
    messages = [message for _, message in problems(project.put({"patches/fix.patch": text}))]
    assert messages[0].startswith("the patch does not fit")


def test_a_patch_of_the_team_s_own_files_does_not_fit(project: Reviewed) -> None:
    project.put({"src/demo/adapters.py": "A = 1\n"})
    write_patch(project, {"src/demo/adapters.py": "A = 2\n"})
    [(_, message)] = problems(project)
    assert message == "the patch does not fit: src/demo/adapters.py: No such file or directory"


def test_patches_are_read_within_a_hook_of_git_as_well(
    project: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_patch(project, {STORE: "A = 2\n\n\n\nB = 1\n"})
    project.commit()
    monkeypatch.setenv("GIT_DIR", str(project.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(project.folder))
    assert problems(project) == []


def test_no_comment_in_a_file_allows_an_edit(project: Reviewed) -> None:
    comment = "# review: allow CKP105 because the fix is on its way to the template\n"
    project.put({STORE: "A = 2\n" + comment})
    assert problems(project) == [(STORE, "the file was edited by hand")]
    project.put({STORE: FILES[STORE], "src/demo/more.py": comment})
    [finding] = project.findings()
    assert (finding.rule, finding.message) == ("CKP002", "no rule CKP105 can be allowed")
