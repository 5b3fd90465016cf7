"""All problems of a document in one pass, and none that only follows from another."""

from __future__ import annotations

import pytest

from dlm_core.testing.desk import Desk

QA = "::instruction::\n### Q\nq\n### A\na\n"


def told(desk: Desk, body: str, front: str = "") -> list[tuple[int, str]]:
    path = desk.write(body, front)
    return [(one["line"], one["code"]) for one in desk.dlm("check", path, "--json").json["problems"]]


def test_broken_yaml_hides_neither_base_nor_sources_nor_rows(dlm_desk: Desk) -> None:
    front = "base_model: nul-base\nsystem_prompt: 'open\ntraining:\n  sources:\n    - path: nowhere\n"
    found = told(dlm_desk, "::instruction::\n### Q\nq\n", front)
    assert found == [(4, "DLM0130"), (5, "DLM0107"), (8, "DLM0501"), (11, "DLM0223")]


@pytest.mark.parametrize("line", ["system_prompt: a: b", "system_prompt: [", "system_prompt: &x y", "export:\n\tx: 1"])
def test_of_a_broken_line_only_itself_is_told(dlm_desk: Desk, line: str) -> None:
    assert [code for _, code in told(dlm_desk, QA, line)] in (["DLM0107"], ["DLM0108"])


def test_a_key_that_may_stand_in_what_is_broken_is_not_missed(dlm_desk: Desk) -> None:
    path = dlm_desk.folder / "notes.dlm"
    path.write_text("---\ndlm_id: 'x\nbase_model: null-base\n---\nText.\n")
    found = dlm_desk.dlm("check", path, "--json").json["problems"]
    assert [one["code"] for one in found] == ["DLM0107"]


def test_unknown_keys_and_values_hide_nothing(dlm_desk: Desk) -> None:
    front = (
        "colour: red\nbase_model: nul-base\ntraining:\n  lora_r: 0\n  sources:\n    - path: here\n      max_files: 0\n"
        "    - path: nowhere\n"
    )
    found = told(dlm_desk, "::intro::\nx\n\n" + QA.replace("### A", "### B"), front)
    assert found == [
        (4, "DLM0101"),
        (5, "DLM0130"),
        (7, "DLM0104"),
        (9, "DLM0501"),
        (10, "DLM0104"),
        (11, "DLM0501"),
        (13, "DLM0201"),
        (17, "DLM0223"),
    ]


def test_a_misspelt_required_key_is_not_missing_too(dlm_desk: Desk) -> None:
    assert told(dlm_desk, "x\n", "training:\n  sources:\n    - pth: .\n") == [(7, "DLM0101")]


def test_a_value_that_is_no_value_is_not_missing_too(dlm_desk: Desk) -> None:
    path = dlm_desk.folder / "notes.dlm"
    path.write_text('+++\ndlm_id = 2026-01-01\nbase_model = "null-base"\n+++\nText.\n')
    found = dlm_desk.dlm("check", path, "--json").json["problems"]
    assert [one["code"] for one in found] == ["DLM0104"]


def test_a_newer_document_is_not_looked_into(dlm_desk: Desk) -> None:
    assert told(dlm_desk, "x\n", "dlm_version: 99\nbase_model: nul-base\nx: 1\n") == [(3, "DLM0111")]


def test_a_wrong_section_does_not_make_its_adapter_empty(dlm_desk: Desk) -> None:
    front = "training:\n  adapters: {tone: {}, facts: {}}\n"
    body = "::prose#tone::\nx\n\n" + QA.replace("instruction", "instrcution#facts")
    assert [code for _, code in told(dlm_desk, body, front)] == ["DLM0201"]


def test_problems_with_the_base_come_beside_those_of_sections(dlm_desk: Desk) -> None:
    assert [code for _, code in told(dlm_desk, "::x::\ny\n", "base_model: ./gone\n")] == ["DLM0131", "DLM0201"]


def test_a_file_of_a_source_is_read_although_a_key_is_unknown(dlm_desk: Desk) -> None:
    (dlm_desk.folder / "texts").mkdir()
    (dlm_desk.folder / "texts" / "a.bin").write_bytes(b"\0")
    found = told(dlm_desk, "x\n", "colour: red\ntraining:\n  sources:\n    - path: texts\n")
    assert [code for _, code in found] == ["DLM0101", "DLM0504"]
