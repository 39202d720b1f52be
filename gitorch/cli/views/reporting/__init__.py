"""The report of a night, as text and as one HTML page. What is in it is collected in `services.report`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.cli.views.reporting import (
        highlight as highlight,
        lexers as lexers,
        report_diff as report_diff,
        report_graph as report_graph,
        report_page as report_page,
        report_text as report_text,
        report_timeline as report_timeline,
        report_words as report_words,
    )
else:
    __getattr__ = lazy.submodules(__name__)
