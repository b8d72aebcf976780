"""Features and encoder: shapes, and a padded batch gives what each item gives alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from asrbias.encoder import Encoder, EncoderConfig, LockedDropout, attend, over_frames
from asrbias.features import LogMel
from asrbias.model import Model, ModelError, load_model, save_model
from asrbias.tokens import Vocabulary

SMALL = EncoderConfig(
    vocabulary=29, phones=40, dim=16, layers=3, heads=2, kernel=5, subword_layers=(1, 2), phone_layer=2, stem_channels=4
)
CHARACTERS = Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz")


def waves(*sizes: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(size, generator=generator) * 0.1 for size in sizes]


def padded(items: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.nn.utils.rnn.pad_sequence(items, batch_first=True), torch.tensor([len(item) for item in items])


@pytest.mark.parametrize("conditioning", [True, False])
def test_padded_batch_equals_each_alone(conditioning: bool) -> None:
    torch.manual_seed(0)
    config = EncoderConfig(**{**vars(SMALL), "self_conditioning": conditioning})
    model = Model(config, CHARACTERS).eval()
    items = waves(16_000, 7_777, 160, 25_001)
    with torch.inference_mode():
        together = model(*padded(items))
        for row, item in enumerate(items):
            alone = model(item[None], torch.tensor([len(item)]))
            frames = int(alone.lengths[0])
            assert int(together.lengths[row]) == frames
            for whole, single in zip(
                (together.log_probs, together.phones, *together.middle, *together.hidden),
                (alone.log_probs, alone.phones, *alone.middle, *alone.hidden),
                strict=True,
            ):
                torch.testing.assert_close(whole[row, :frames], single[0, :frames], atol=1e-4, rtol=1e-4)


def test_a_convolution_over_frames_is_torchs() -> None:
    convolution = torch.nn.Conv1d(12, 12, 5, padding=2, groups=12)
    x = torch.randn(3, 17, 12)
    expected = convolution(x.transpose(1, 2)).transpose(1, 2)
    assert torch.equal(over_frames(convolution, x), expected)
    with torch.inference_mode():
        assert torch.allclose(over_frames(convolution, x), expected, atol=1e-6)


def test_frames_last_forty_milliseconds() -> None:
    model = Model(SMALL, CHARACTERS).eval()
    with torch.inference_mode():
        output = model(torch.zeros(1, 160_000), torch.tensor([160_000]))
    assert model.seconds_per_frame == pytest.approx(0.04)
    assert output.log_probs.shape == (1, 251, 29) and output.phones.shape == (1, 251, 40)
    assert len(output.middle) == 2 and len(output.hidden) == 3
    torch.testing.assert_close(output.log_probs.exp().sum(-1), torch.ones(1, 251), atol=1e-4, rtol=0)


def test_silence_and_one_sample_are_finite() -> None:
    features, frames = LogMel()(torch.zeros(2, 400), torch.tensor([400, 1]))
    assert torch.isfinite(features).all() and frames.tolist() == [3, 1]


def test_features_do_not_depend_on_level() -> None:
    wave = waves(16_000)[0]
    quiet, loud = (LogMel()(wave[None] * gain, torch.tensor([16_000]))[0] for gain in (0.1, 1.0))
    # The floor under the logarithm shows a little in the quietest cells.
    assert (quiet - loud).abs().mean() < 0.01


def test_a_head_outside_the_layers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layer 9 is outside 1\.\.3"):
        EncoderConfig(layers=3, subword_layers=(1, 9), phone_layer=2)


def test_the_blank_is_label_0() -> None:
    with pytest.raises(ModelError, match="blank is label 28"):
        Model(SMALL, Vocabulary((*" 'abcdefghijklmnopqrstuvwxyz", "<blank>"), blank=28))


def test_attention_sees_the_whole_utterance() -> None:
    torch.manual_seed(0)
    encoder = Encoder(SMALL).eval()
    features = torch.randn(1, 400, 80)
    changed = features.clone()
    changed[0, 396:] += 1.0
    with torch.inference_mode():
        a, b = (encoder(x, torch.tensor([400])).log_probs for x in (features, changed))
    assert (a[0, 0] - b[0, 0]).abs().max() > 0


def test_model_folder_round_trip_in_half_precision(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "model"
    torch.manual_seed(0)
    model = Model(SMALL, CHARACTERS).eval()
    save_model(model, folder, dtype=torch.float16, notes={"why": "test"})
    again = load_model(folder)
    wave, lengths = padded(waves(8_000))
    with torch.inference_mode():
        np.testing.assert_allclose(again(wave, lengths).log_probs, model(wave, lengths).log_probs, atol=0.02)
    assert again.vocabulary == model.vocabulary


def test_broken_model_folders_say_what_is_wrong(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "model"
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        load_model(folder)
    save_model(Model(SMALL, CHARACTERS), folder)
    weights = folder / "model.safetensors"
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"dim": 16', '"dim": 32'))
    with pytest.raises(ModelError, match="does not fit its config") as error:
        load_model(folder)
    assert "\n" not in str(error.value)
    (folder / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(folder)
    (folder / "config.json").write_text(config)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="does not fit its config"):
        load_model(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(folder)


def test_dropout_takes_a_channel_from_all_frames_of_an_item() -> None:
    torch.manual_seed(0)
    dropped = LockedDropout(0.25).train()(torch.ones(8, 50, 64))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert (dropped == dropped[:, :1]).all() and not (dropped == dropped[:1]).all()
    assert 0.15 < (dropped == 0).float().mean() < 0.35


def test_layers_are_skipped_in_training_only() -> None:
    encoder = Encoder(EncoderConfig(layers=4, subword_layers=(2,), phone_layer=2, dim=16, heads=2))
    features, lengths = torch.randn(1, 40, 80), torch.tensor([40])
    plain = encoder.eval()(features, lengths).log_probs
    encoder.regularise(dropout=0.0, layer_drop=0.9)
    assert torch.equal(encoder(features, lengths).log_probs, plain)
    encoder.train()
    torch.manual_seed(0)
    outputs = {round(encoder(features, lengths).log_probs.sum().item(), 3) for _ in range(20)}
    assert len(outputs) > 3  # another set of layers, another result


def test_attention_in_half_precision_is_attention() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 30, 8)
    mask = torch.arange(30) < torch.tensor([[30], [17]])
    exact = attend(q, k, v, mask)
    half = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), mask)
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), exact, atol=0.03)
