"""Which way to make batches pays."""

from core.config import build
from core.data.lengths import Lengths
from core.data.ways import pays

CONFIG = build({"training": {"per_device_train_batch_size": 4, "num_train_epochs": 2}})


def offers(tokens, **more):
    return {offer.name: offer for offer in pays(Lengths(tokens, len(tokens)), CONFIG, **more)}


def test_packing_pays_where_few_rows_are_long():
    found = offers((100, 60, 40, 70, 30, 90, 10) * 3)
    assert list(found) == ["grouped", "shuffled", "packed", "padding_free"]
    assert (
        found["shuffled"].useful < found["grouped"].useful < found["packed"].useful == found["padding_free"].useful == 1
    )
    packed = found["packed"]
    assert packed.pays and not found["padding_free"].pays and not found["shuffled"].pays
    assert packed.sentence == (
        "Rows end to end: 100% of what is computed is text, 10% less to compute than grouped. A batch of 4 holds about "
        "7 rows, so there are 6 updates instead of 12."
    )


def test_it_does_not_pay_where_rows_are_alike():
    found = offers((30, 31, 32) * 20)
    assert not found["packed"].pays and "updates" not in found["packed"].sentence
    assert found["grouped"].pays and found["grouped"].useful > 0.98


def test_only_what_can_be_chosen_is_offered():
    assert list(offers((3, 4, 5), joins=False)) == ["grouped", "shuffled"]
    assert pays(Lengths((), 0), CONFIG) == []
