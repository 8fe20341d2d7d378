"""Every method on every head of every family trains, comes back and resumes, or says why it cannot: docs/cells.md."""

import pytest

from tests import cells

pytestmark = pytest.mark.slow
CELLS = cells.cells()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return cells.small_models(tmp_path_factory.mktemp("one-layer"))


@pytest.fixture(scope="module")
def found():
    """What came out of each cell that was tried."""
    return {}


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_a_cell(cell, models, found, tmp_path):
    found[cell] = cells.attempt(cell, models(cell[1]), tmp_path / "cell")
    assert found[cell] == cells.written()[cell], "python -m tests.cells --write writes the page anew"


def test_the_table(found, capsys):
    """Printed; and the page has the cells that there are, and no others. Where some were not tried it says them."""
    page = cells.written()
    assert set(page) == set(CELLS)
    text = cells.document(page | found)
    with capsys.disabled():
        print(f"\n{text}")
    assert text == cells.TARGET.read_text(encoding="utf-8")
