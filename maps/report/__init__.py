"""Engineer's report and planner's brief of a run: HTML without scripts or outside resources, made for printing."""

from maps.report.brief import brief_page
from maps.report.derived import derive
from maps.report.engineer import report_page

__all__ = ["brief_page", "derive", "report_page"]
