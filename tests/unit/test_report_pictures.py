"""The pages of a report, drawn for the documentation."""

from pathlib import Path

from PIL import Image

from dev.report_pictures import main
from tests.support.reported import bad


def test_the_pages_are_small_pictures_and_old_ones_go(tmp_path: Path) -> None:
    report, folder = tmp_path / "report.json", tmp_path / "images"
    report.write_text(bad().to_json(), encoding="utf-8")
    folder.mkdir()
    (folder / "report-99.png").write_bytes(b"old")
    assert main([str(report), str(folder)]) == 0
    pages = sorted(folder.iterdir())
    assert [page.name for page in pages] == [f"report-{n}.png" for n in (1, 2, 3, 4)]
    for page in pages:
        assert page.stat().st_size < 300_000
        with Image.open(page) as image:
            assert image.width > image.height
