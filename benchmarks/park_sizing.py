"""Sizes of Bozhou's park against the linear programme of the same year: cost, bound, gap, time.

Run: python benchmarks/park_sizing.py. Takes the study's stages from its cache, works out the sizing by running every
combination of sizes through the year, then solves the programme by HiGHS for each row. The programme takes any site and
foresees the year, so that its cost is a bound: fails where a row is below it, or more than 5 % above.
"""

from __future__ import annotations

import time

from study.pipeline import Results
from study.run import open_results
from study.sites.parks import compute_parks
from study.study_file import Study, find_study, read_study

MOST_GAP_PERCENT = 5.0


def main() -> None:
    study = read_study(find_study("bozhou"))
    results = open_results(study)
    for name in ("region_facts", "sites", "yields", "costs"):
        results.get(name)
    compute_parks(results)  # compiles
    plain, without = _timed(results, bound=False)
    bounded, with_bound = _timed(results, bound=True)
    rows = bounded[["aim", "target_share", "green_share", "cost_cny_per_mwh", "bound_cny_per_mwh", "gap_percent"]]
    print(rows.to_string(index=False, float_format="%.3f"))
    reached = bounded[bounded["reached"] == "yes"]
    assert plain["cost_cny_per_mwh"].equals(bounded["cost_cny_per_mwh"])
    assert reached["gap_percent"].between(-1e-3, MOST_GAP_PERCENT).all()
    solved = with_bound - without
    print(f"{len(plain)} rows: sizes {without:.1f} s, programmes {solved:.1f} s: {solved / without:.1f} times")


def _timed(results: Results, *, bound: bool) -> tuple:
    study = results.study
    parks = tuple(park.model_copy(update={"sizing_bound": bound}) for park in study.file.parks)
    asked = Study(study.file.model_copy(update={"parks": parks}), study.path)
    other = Results(asked, results.stages, results.cache)
    for name in ("region_facts", "sites", "yields", "costs"):
        other.get(name)
    start = time.process_time()
    sizing = compute_parks(other).sizing
    return sizing, time.process_time() - start


if __name__ == "__main__":
    main()
