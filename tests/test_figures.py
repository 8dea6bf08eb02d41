"""The page of figures says what the results say, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.figures import PAGE, PARTS, PLOTS, fill_in, main
from benchmarks.figures_data import LOOPS, Results, read_results
from benchmarks.figures_goals import DATA, GOALS, Goal, Limit, goals_table
from benchmarks.figures_plots import Panel, Plot, draw, readable

if TYPE_CHECKING:
    from pathlib import Path

SPEED = "MB/s, one process"


def goal(*limits: Limit, **fields: Any) -> Goal:
    return Goal("speed", "fast", DATA, "peerix, {loop}, found", (SPEED,), limits, **fields)


def measured(*speeds: float, **peers: float) -> Results:
    rows = {f"peerix, {loop}, found": {SPEED: speed} for loop, speed in zip(LOOPS, speeds, strict=False)}
    return Results({DATA: rows | {name.replace("_", ", "): {SPEED: speed} for name, speed in peers.items()}})


def test_a_goal_that_all_loops_reach_is_reached() -> None:
    assert goal(Limit(10)).verdict(measured(10, 11, 12)) == "reached"


def test_a_goal_that_one_loop_misses_names_it() -> None:
    assert goal(Limit(10)).verdict(measured(9, 11, 12)) == "missed on asyncio"


def test_a_goal_that_no_loop_reaches_is_missed() -> None:
    assert goal(Limit(10)).verdict(measured(9, 9, 9)) == "missed"


def test_a_goal_without_results_is_not_measured() -> None:
    assert goal(Limit(10)).verdict(Results()) == "not measured"


def test_a_loop_without_a_result_is_named() -> None:
    assert goal(Limit(10)).verdict(measured(11, 12)) == "not measured on trio"
    assert goal(Limit(10)).verdict(measured(9, 12)) == "missed on asyncio; not measured on trio"


def test_a_limit_is_so_many_times_the_peer_in_the_same_run() -> None:
    three_times = goal(Limit(3, "wrtc"))
    assert three_times.verdict(measured(30, 30, 30, wrtc=10)) == "reached"
    assert three_times.verdict(measured(30, 30, 29, wrtc=10)) == "missed on trio"


def test_without_the_peer_there_is_nothing_to_compare_with() -> None:
    assert goal(Limit(3, "wrtc")).verdict(measured(30, 30, 30)) == "no wrtc in the run"


def test_a_peer_on_the_same_loop_counts_and_that_on_asyncio_for_trio() -> None:
    seven_times = goal(Limit(7, "aiortc"))
    assert seven_times.verdict(measured(70, 140, 70, aiortc_asyncio=10, aiortc_uvloop=20)) == "reached"
    assert seven_times.verdict(measured(70, 139, 69, aiortc_asyncio=10, aiortc_uvloop=20)) == "missed on uvloop, trio"


def test_all_limits_have_to_be_reached() -> None:
    assert goal(Limit(1, "wrtc"), Limit(7, "aiortc")).verdict(measured(9, 9, 9, wrtc=8, aiortc=2)) == "missed"


def test_less_can_be_better() -> None:
    assert goal(Limit(10), more_is_better=False).verdict(measured(9, 10, 11)) == "missed on trio"


def test_loops_for_which_it_is_no_goal_do_not_count() -> None:
    assert goal(Limit(10), loops=("uvloop", "trio")).verdict(measured(1, 11, 12)) == "reached"


def test_what_has_to_be_none_is_none() -> None:
    results = measured(11, 12, 13)
    for row in results.rows[DATA].values():
        row["lost"] = 0
    strict = goal(Limit(10), none_of=("lost",))
    assert strict.verdict(results) == "reached"
    results.rows[DATA]["peerix, uvloop, found"]["lost"] = 1
    assert strict.verdict(results) == "missed on uvloop"


def test_growth_is_one_column_over_another() -> None:
    results = measured(11, 11, 11)
    for row in results.rows[DATA].values():
        row["first"] = 10
    assert goal(Limit(1.05), divided_by=("first",), more_is_better=False).verdict(results) == "missed"


def test_the_table_shows_the_best_other_stack_and_each_loop() -> None:
    lines = goals_table(measured(30.2, 40, 1234, wrtc=10, aiortc_uvloop=12), (goal(Limit(20)),))
    assert lines[-1] == "| speed | fast | 12 (aiortc, uvloop) | 30 | 40 | 1,234 | reached |"


def report_json(**medians: float) -> dict[str, object]:
    summary = [
        {"variant": f"peerix, {loop}, 1200", "metric": SPEED, "median": median} for loop, median in medians.items()
    ]
    return {"machine": {"cpu": "a fast one"}, "granted_socket_buffers": {"peerix": [5, 6]}, "summary": summary}


@pytest.mark.parametrize(
    ("content", "row", "column", "value"),
    [
        (report_json(uvloop=7.5), "peerix, uvloop, 1200", SPEED, 7.5),
        ({"rows": {"trio": {"messages/s": 3.0}}}, "peerix, trio", "messages/s", 3.0),
        ({"rows": {"aiortc, asyncio": {"last": 3.0}}}, "aiortc, asyncio", "last", 3.0),
        (
            {"figures": [{"case": {"name": "large"}, "microseconds_per_packet": 2}]},
            "large",
            "microseconds per packet",
            2,
        ),
        ({"results": [{"flows": "two", "share_of_the_first": 0.5}]}, "two", "share of the first", 0.5),
    ],
)
def test_every_shape_of_results_is_read(
    tmp_path: Path, content: dict[str, object], row: str, column: str, value: float
) -> None:
    (tmp_path / "some.json").write_text(json.dumps(content))
    assert read_results(tmp_path).value("some", row, column) == value


def test_what_failed_and_what_was_not_there_to_measure_is_said_on_the_page(tmp_path: Path) -> None:
    content = report_json(trio=1) | {"notes": ["wrtc is not measured: no npm"], "failures": ["aiortc: out of luck"]}
    (tmp_path / "data_channel.json").write_text(json.dumps(content))
    page = fill_in("<!-- results: machine -->\n<!-- end of machine -->", read_results(tmp_path))
    assert "* data_channel: wrtc is not measured: no npm\n* data_channel: failed: aiortc: out of luck\n" in page


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "instructions.json").write_text('{"CPython 3.11, x86_64": {"SCTP": 1.0}}')
    assert read_results(tmp_path).rows == {}


def test_what_was_not_measured_leaves_a_part_empty() -> None:
    page = "a\n<!-- results: media -->\nold\n<!-- end of media -->\nb\n"
    assert fill_in(page, Results()) == "a\n<!-- results: media -->\n<!-- end of media -->\nb\n"


def test_a_part_is_made_anew_and_the_rest_stays() -> None:
    page = "mine\n<!-- results: loopback -->\nold\n<!-- end of loopback -->\nmine too\n"
    filled = fill_in(page, measured(30))
    assert filled.startswith("mine\n<!-- results: loopback -->\n\n## On loopback\n")
    assert "| peerix, asyncio, found | 30 |" in filled
    assert "old" not in filled
    assert fill_in(filled, measured(30)) == filled


@pytest.mark.parametrize(
    "page", ["<!-- results: media -->\n", "<!-- results: nonesuch -->\n<!-- end of nonesuch -->\n"]
)
def test_a_page_with_a_part_that_cannot_be_written_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="part"):
        fill_in(page, Results())


def test_the_page_of_the_project_has_every_part() -> None:
    page = PAGE.read_text()
    assert [name for name in PARTS if f"<!-- results: {name} -->" not in page] == []
    assert fill_in(fill_in(page, Results()), Results()) == fill_in(page, Results())


def test_the_command_writes_the_page_and_its_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, page = tmp_path / "results", tmp_path / "performance.md"
    folder.mkdir()
    (folder / "data_channel.json").write_text(json.dumps(report_json(asyncio=100, trio=50.25)))
    page.write_text(PAGE.read_text())
    stale = tmp_path / "performance" / "long_links.svg"
    stale.parent.mkdir()
    stale.write_text("old")
    assert main(["--results", str(folder), "--page", str(page)]) == 0
    assert "| peerix, trio, 1200 | 50.2 |" in page.read_text()
    assert "receive 5, send 6 bytes" in page.read_text()
    assert "not measured" in capsys.readouterr().out
    assert (tmp_path / "performance" / "throughput.svg").exists()
    assert not stale.exists()


def elements(svg: str, name: str) -> list[ET.Element]:
    return ET.fromstring(svg).findall(f"{{http://www.w3.org/2000/svg}}{name}")


PLOT = Plot("speed", "Speed & more", (Panel("MB/s", DATA, (SPEED,)),))


def test_a_plot_is_xml_with_a_bar_for_each_row_as_long_as_its_figure() -> None:
    bars = elements(draw(measured(100, 50, wrtc=25), PLOT), "rect")[1:]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert [width / widths[0] for width in widths] == pytest.approx([1, 0.5, 0.25], abs=0.01)


def test_a_plot_says_whose_bar_it_is_and_how_much() -> None:
    texts = [each.text for each in elements(draw(measured(1234.4), PLOT), "text")]
    assert texts == ["Speed & more", "MB/s", "peerix, asyncio, found", "1,234"]


def test_a_plot_of_nothing_is_not_drawn() -> None:
    assert draw(Results(), PLOT) == ""


def test_bars_of_several_columns_lie_end_to_end() -> None:
    results = Results({DATA: {"peerix, trio": {"send": 3.0, "receive": 1.0}}})
    svg = draw(results, Plot("cpu", "CPU", (Panel("CPU", DATA, ("send", "receive"), ("send", "receive")),)))
    first, second = elements(svg, "rect")[1:]
    end = float(first.attrib["x"]) + float(first.attrib["width"])
    assert float(second.attrib["x"]) == pytest.approx(end, abs=0.2)


def test_every_plot_of_the_page_can_be_drawn() -> None:
    panels = [panel for plot in PLOTS for panel in plot.panels]
    rows: dict[str, dict[str, dict[str, float]]] = {panel.source: {"peerix, trio": {}} for panel in panels}
    for panel in panels:
        rows[panel.source]["peerix, trio"].update(dict.fromkeys(panel.columns, 1.0))
    for plot in PLOTS:
        assert len(elements(draw(Results(rows), plot), "rect")) > len(plot.panels)


def test_every_goal_can_be_told_from_results() -> None:
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for each in GOALS:
        for row in (each.row, *(limit.peer for limit in each.limits if limit.peer)):
            for loop in LOOPS:
                columns = (*each.columns, *each.divided_by)
                rows.setdefault(each.source, {}).setdefault(row.format(loop=loop), {}).update(
                    dict.fromkeys(columns, 1.0)
                )
                rows[each.source][row.format(loop=loop)].update(dict.fromkeys(each.none_of, 0.0))
    assert {each.verdict(Results(rows)) for each in GOALS} == {"reached", "missed"}


@pytest.mark.parametrize(("value", "shown"), [(0.0123, "0.012"), (1.234, "1.23"), (45.67, "45.7"), (1e5, "100,000")])
def test_figures_have_the_digits_that_they_deserve(value: float, shown: str) -> None:
    assert readable(value) == shown
