"""The contextual adapter: what it may change, what it must not, and that it learns from text with its base frozen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from asrbias.adapter import AdapterConfig, ContextualAdapter, Embedded, levels
from asrbias.adapter_files import load_adapter, save_adapter
from asrbias.adapter_input import entity_rows, pad_rows
from asrbias.encoder import Encoder, EncoderConfig
from asrbias.model import Model, ModelError
from asrbias.phones import PHONES
from asrbias.training.adapter import AdapterTrainer, AdapterTrainOptions, attention_loss, checksum
from asrbias.training.checkpoint import CHECKPOINT_FILE
from asrbias.training.lists import ListMaker, ListOptions, Neighbours
from asrbias.training.phonebank import PhoneBank
from asrbias.training.text import TextSource
from tests.test_training import LETTERS

CONFIG = EncoderConfig(
    vocabulary=29,
    dim=32,
    layers=4,
    heads=2,
    kernel=3,
    subword_layers=(3,),
    phone_layer=2,
    bottleneck=True,
    stem_channels=4,
)
WORDS = ("kit", "kat", "bob", "tom", "ann", "lee")


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(CONFIG).eval()


def make(loud: bool = True, **sizes: int) -> ContextualAdapter:
    """An adapter that has learnt something (`loud`), or a fresh one."""
    torch.manual_seed(1)
    adapter = ContextualAdapter(AdapterConfig.of(CONFIG, **{"dim": 16, "heads": 2, **sizes})).eval()
    if loud:
        torch.nn.init.normal_(adapter.out.weight)
        torch.nn.init.normal_(adapter.no_bias)
    return adapter


def hear(encoder: Encoder, frames: tuple[int, ...] = (12, 7)) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    draw = torch.Generator().manual_seed(2)
    phones = torch.randn(len(frames), max(frames), 40, generator=draw).log_softmax(-1)
    lengths = torch.tensor(frames)
    return levels(encoder, encoder.spell(phones, lengths)), lengths


def rows(*phrases: str) -> torch.Tensor:
    return pad_rows(entity_rows(phrases, LETTERS, AdapterConfig.of(CONFIG)))


def test_an_empty_list_is_the_base_bit_for_bit(encoder: Encoder) -> None:
    hidden, lengths = hear(encoder)
    told = make()(hidden, lengths, make().embed(rows()))
    assert (
        torch.equal(told.hidden, hidden[-1])
        and told.attention.shape == (2, 12, 1)
        and bool((told.attention == 1).all())
    )


def test_a_fresh_adapter_changes_nothing(encoder: Encoder) -> None:
    hidden, lengths = hear(encoder)
    adapter = make(loud=False)
    assert torch.equal(adapter(hidden, lengths, adapter.embed(rows("bob", "ann"))).hidden, hidden[-1])


def test_no_bias_has_no_value(encoder: Encoder) -> None:
    hidden, lengths = hear(encoder)
    adapter = make()
    told = adapter(hidden, lengths, adapter.embed(rows("bob", "ann")), torch.zeros(2, 2, dtype=torch.bool))
    assert torch.equal(told.hidden, hidden[-1]) and bool((told.attention[..., 0] == 1).all())


@pytest.mark.parametrize("pooled", [False, True])
def test_attention_is_shared_out(encoder: Encoder, pooled: bool) -> None:
    hidden, lengths = hear(encoder)
    adapter = make(pooled=pooled)
    told = adapter(hidden, lengths, adapter.embed(rows("bob", "ann", "kit kat")))
    assert told.attention.shape == (2, 12, 4) and torch.allclose(told.attention.sum(-1), torch.ones(2, 12), atol=1e-5)
    assert not torch.allclose(told.hidden, hidden[-1])


@pytest.mark.parametrize(
    "sizes",
    [{}, {"sounds": False}, {"pooled": True}, {"votes": 0}, {"heads": 4}],
    ids=["all", "no sounds", "pooled", "no votes", "four heads"],
)
@pytest.mark.parametrize("frames", [1, 40, 230], ids=lambda n: f"{n} frames")
def test_native_attention_is_that_of_torch(encoder: Encoder, sizes: dict[str, int], frames: int) -> None:
    """One utterance goes through torch with gradients, through native/attend.cpp without."""
    adapter = make(**sizes)
    for parameter in ("votes", "covered", "threshold"):
        if hasattr(adapter, parameter):
            torch.nn.init.normal_(getattr(adapter, parameter), std=0.3)
    hidden, lengths = hear(encoder, (frames,))
    phones = torch.randn(1, frames, 40, generator=torch.Generator().manual_seed(4)).mul(3).log_softmax(-1)
    embedded = adapter.embed(rows("bob", "ann", "kit kat", "lee tom", "kat"))
    for settings in ({}, {"caution": 1.5, "least": 0.3, "strength": 2.0}, {"least": 0.01}):
        expected = adapter(hidden, lengths, embedded, phones=phones, **settings)
        assert expected.hidden.requires_grad
        with torch.inference_mode():
            told = adapter(hidden, lengths, embedded, phones=phones, **settings)
        assert torch.allclose(told.attention, expected.attention, atol=1e-5)
        assert torch.allclose(told.hidden, expected.hidden, atol=1e-4)
        assert float((1 - told.attention[..., 0]).max()) > 0.05  # so that there is something to be compared


def test_neither_the_order_of_a_list_nor_padding_matters(encoder: Encoder) -> None:
    hidden, lengths = hear(encoder)
    adapter = make()
    one = adapter(hidden, lengths, adapter.embed(rows("bob", "ann", "kit kat")))
    other = adapter(hidden, lengths, adapter.embed(rows("kit kat", "bob", "ann")))
    assert torch.allclose(one.hidden, other.hidden, atol=1e-5)
    assert torch.allclose(one.attention[..., [0, 3, 1, 2]], other.attention, atol=1e-5)
    short = [level[1:, :7] for level in hidden]
    alone = adapter(short, lengths[1:], adapter.embed(rows("bob", "ann", "kit kat")))
    assert torch.allclose(alone.hidden[0], one.hidden[1, :7], atol=1e-4)


def test_an_item_sees_its_own_list(encoder: Encoder) -> None:
    hidden, lengths = hear(encoder)
    adapter = make()
    embedded = adapter.embed(rows("bob", "ann", "kit kat"))
    visible = torch.tensor([[True, False, True], [False, True, False]])
    told = adapter(hidden, lengths, embedded, visible)
    for item, mine in enumerate(([0, 2], [1])):
        alone = adapter([level[item : item + 1] for level in hidden], lengths[item : item + 1], embedded.pick(mine))
        size = int(lengths[item])
        assert torch.allclose(alone.hidden[0, :size], told.hidden[item, :size], atol=1e-5)
        assert not told.attention[item, :, 1:][:, ~visible[item]].any()


def test_picking_is_embedding_what_is_picked() -> None:
    adapter = make()
    whole, part = adapter.embed(rows("bob", "kit kat", "ann")), adapter.embed(rows("ann", "bob"))
    picked = whole.pick([2, 0])
    assert picked.sizes.tolist() == part.sizes.tolist() == [3 + 2, 3 + 3]  # letters and phones
    assert torch.allclose(picked.keys, part.keys, atol=1e-5) and torch.allclose(picked.values, part.values, atol=1e-5)
    assert isinstance(picked, Embedded) and len(whole.pick([])) == 0


def test_files_keep_an_adapter(tmp_path: Path, encoder: Encoder) -> None:
    hidden, lengths = hear(encoder)
    adapter = make()
    save_adapter(adapter, tmp_path, head="abc")
    again = load_adapter(tmp_path)
    entities = rows("bob", "ann")
    assert torch.equal(
        again(hidden, lengths, again.embed(entities)).hidden, adapter(hidden, lengths, adapter.embed(entities)).hidden
    )
    with pytest.raises(ModelError, match="belongs to another model"):
        load_adapter(tmp_path, encoder)
    config = json.loads((tmp_path / "adapter.json").read_text())
    config["adapter"]["dim"] = 32
    (tmp_path / "adapter.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="does not fit its config"):
        load_adapter(tmp_path)
    (tmp_path / "adapter.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_adapter(tmp_path)
    with pytest.raises(ModelError, match=r"There is no adapter at .*missing.*give the folder"):
        load_adapter(tmp_path / "none")


def test_the_loss_counts_frames_of_speech_alone() -> None:
    attention = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0]]])
    loss, right = attention_loss(attention, torch.tensor([[0, 1, -1]]))
    assert loss.item() == pytest.approx(-(np.log(0.5) + np.log(0.9)) / 2) and right == 1.0


# --- lists ---

SENTENCES = [("call", "bob", "lee", "now"), ("call", "kit", "now"), ("now", "call", "ann"), ("call", "now")] * 5


def test_lists_hold_what_is_said_but_for_what_is_dropped() -> None:
    maker = ListMaker(SENTENCES, ListOptions(dropped=0.0, hard=0, hard_rare=0, others=4, commonest=2))
    lists = maker.draw([0, 1, 3], np.random.default_rng(0))
    said = {(m.sentence, lists.phrases[m.phrase]) for m in lists.mentions}
    assert any(row == 1 and "kit" in phrase.split() for row, phrase in said)
    assert any(row == 0 and {"bob", "lee"} & set(phrase.split()) for row, phrase in said)
    assert all(lists.visible[m.sentence, m.phrase] for m in lists.mentions)
    assert not any(m.sentence == 2 and lists.phrases[m.phrase] in WORDS for m in lists.mentions)
    everything = ListMaker(SENTENCES, ListOptions(dropped=1.0, hard=0, hard_rare=0, commonest=2))
    lists = everything.draw([0, 1], np.random.default_rng(0))
    assert not lists.mentions
    assert not any(lists.visible[1, n] for n, phrase in enumerate(lists.phrases) if phrase in "call kit now")


def test_neighbours_sound_alike() -> None:
    near = Neighbours.of(["cat", "bob"], ["kat", "cap", "robert", "rob", "cat"], 2)
    assert near["cat"] == ("kat", "cap") and near["bob"][0] == "rob" and near["zoe"] == ()


# --- training ---


@pytest.fixture
def material(tmp_path: Path) -> tuple[Model, TextSource]:
    """A tiny model that spells by chance, sentences and a bank of clear phones."""
    torch.manual_seed(3)
    model = Model(CONFIG, LETTERS).eval()
    text = tmp_path / "text.txt"
    text.write_text("".join(" ".join(words) + "\n" for words in SENTENCES))
    draw = np.random.default_rng(0)
    said = []
    for _ in range(30):
        phones = draw.integers(1, len(PHONES) + 1, size=12).tolist() + list(range(1, len(PHONES) + 1))
        path = [label for phone in phones for label in (phone, 0)]
        rows = np.full((len(path), 40), np.log(0.1 / 39), np.float32)
        rows[np.arange(len(path)), path] = np.log(0.9)
        said.append((rows, phones))
    PhoneBank.build(said).save(tmp_path / "bank.npz")
    return model, TextSource(text, tmp_path / "bank.npz")


def options(steps: int, **other: float) -> AdapterTrainOptions:
    return AdapterTrainOptions(
        steps=steps, warmup=2, seconds=20, workers=0, save_every=20, report_every=20, rate=3e-3, decay=0.0, average=0.5,
        lists=ListOptions(others=4, commonest=2), **other,  # type: ignore[arg-type]
    )  # fmt: skip


def trainer(material: tuple[Model, TextSource], output: Path, steps: int) -> AdapterTrainer:
    torch.manual_seed(4)
    adapter = ContextualAdapter(AdapterConfig.of(CONFIG, dim=16, heads=2))
    return AdapterTrainer(*material, output, options(steps), adapter=adapter, quiet=True)


def test_training_leaves_the_base_alone_and_learns(material: tuple[Model, TextSource], tmp_path: Path) -> None:
    model, _ = material
    before = checksum(model.encoder)
    run = trainer(material, tmp_path / "run", 60)
    run.run()
    assert checksum(model.encoder) == before
    assert all(p.grad is None for p in model.encoder.parameters())
    log = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 60 and log[-1]["ctc"] < log[0]["ctc"] - 0.2
    assert load_adapter(tmp_path / "run").out.weight.abs().sum() > 0


def test_nothing_is_heard_in_padding(material: tuple[Model, TextSource], tmp_path: Path) -> None:
    text = trainer(material, tmp_path / "run", 1).text
    padded = 0
    for batch in (text[number] for number in range(5)):
        for phones, length in zip(batch.phones, batch.lengths.tolist(), strict=True):
            assert float(phones[length:].exp().sum()) < 1e-5
            padded += len(phones) - length
    assert padded > 0


def test_a_run_goes_on_as_if_it_had_not_stopped(material: tuple[Model, TextSource], tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(material, whole, 6).run()
    first = trainer(material, parts, 6)
    for batch, _ in zip(first._batches(), range(4), strict=False):
        first._update(batch)
        first.progress.step += 1
    first._save()
    again = trainer(material, parts, 6)
    assert again.progress.step == 4
    again.run()
    one, other = load_adapter(whole).state_dict(), load_adapter(parts).state_dict()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)


def test_other_settings_do_not_go_on(material: tuple[Model, TextSource], tmp_path: Path) -> None:
    run = trainer(material, tmp_path, 6)
    run._save()
    assert (tmp_path / CHECKPOINT_FILE).is_file()
    with pytest.raises(ValueError, match="steps"):
        trainer(material, tmp_path, 8)
    with torch.no_grad():
        run.model.encoder.head.bias += 1
    with pytest.raises(RuntimeError, match="frozen"):
        run._save()
