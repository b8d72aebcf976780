"""Small random models of Hugging Face's CTC families, with the files that they are published with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from asrbias.torchaudio_import import import_torchaudio

CHARACTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]  # wav2vec2-base-960h's, but for -
SMALL = ["|", "'", *"abcdefghijklmnopqrstuvwxyz", "[UNK]", "[PAD]"]  # w2v-BERT's: small letters, the blank at the end
PIECES = ["<unk>", "▁", *"etaonihsrdlumwcfgypbvkxjqz'", "▁the", "▁ky", "iv", "ing"]  # Parakeet's, then <pad>
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
WAVES = {
    "vocab_size": len(CHARACTERS), "pad_token_id": 0, "conv_dim": (32, 32, 32), "conv_kernel": (10, 8, 16),
    "conv_stride": (5, 4, 16), "num_feat_extract_layers": 3, "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4, **SIZES,
}  # fmt: skip
# What is not wav2vec2's: the class, fields of its config, and whether its files ask for an attention mask.
WAVE_FAMILIES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "wav2vec2": ("Wav2Vec2", {}, False),
    "wav2vec2-large": ("Wav2Vec2", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}, True),
    "hubert": ("Hubert", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}, True),
    "wavlm": ("WavLM", {}, False),
    "sew": ("SEW", {"squeeze_factor": 2}, False),
    "unispeech": ("UniSpeech", {}, False),
    "data2vec": ("Data2VecAudio", {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 3}, True),
    "conformer": ("Wav2Vec2Conformer", {"feat_extract_norm": "layer"}, True),
}
FAMILIES = (*WAVE_FAMILIES, "w2v-bert", "parakeet")


def save_family(family: str, folder: Path, seed: int = 0) -> Path:
    """A model of the family in `folder`; skips the test where transformers is not installed or too old for it."""
    import_torchaudio()
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    builders: dict[str, Callable[[Any, Path], Any]] = {"w2v-bert": _bert, "parakeet": _parakeet}
    if family in builders:
        builders[family](transformers, folder).save_pretrained(folder)
        return folder
    name, fields, mask = WAVE_FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(**(WAVES | fields))
    getattr(transformers, f"{name}ForCTC")(config).save_pretrained(folder)
    extractor = {"do_normalize": True, "feature_size": 1, "padding_side": "right", "padding_value": 0.0,
                 "return_attention_mask": mask, "sampling_rate": 16000}  # fmt: skip
    _write(folder, "preprocessor_config.json", extractor)
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    _characters(folder, CHARACTERS, names | {"word_delimiter_token": "|", "do_lower_case": False})
    return folder


def _bert(transformers: Any, folder: Path) -> Any:
    config = transformers.Wav2Vec2BertConfig(
        vocab_size=len(SMALL), pad_token_id=SMALL.index("[PAD]"), feature_projection_input_dim=160,
        conv_depthwise_kernel_size=5, left_max_position_embeddings=8, right_max_position_embeddings=8, **SIZES,
    )  # fmt: skip
    extractor = {"feature_extractor_type": "SeamlessM4TFeatureExtractor", "feature_size": 80, "num_mel_bins": 80,
                 "padding_side": "right", "padding_value": 1, "processor_class": "Wav2Vec2BertProcessor",
                 "return_attention_mask": True, "sampling_rate": 16000, "stride": 2}  # fmt: skip
    _write(folder, "preprocessor_config.json", extractor)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "bos_token": None, "eos_token": None}
    kind = {"tokenizer_class": "Wav2Vec2CTCTokenizer", "processor_class": "Wav2Vec2BertProcessor"}
    _characters(folder, SMALL, names | kind | {"word_delimiter_token": "|"})
    return transformers.Wav2Vec2BertForCTC(config)


def _parakeet(transformers: Any, folder: Path) -> Any:
    if not hasattr(transformers, "ParakeetForCTC"):
        pytest.skip("this release of transformers has no Parakeet")
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(models.Unigram([(piece, -float(n)) for n, piece in enumerate(PIECES)], unk_id=0))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    made.add_special_tokens([AddedToken("<pad>", special=True)])
    made.save(str(folder / "tokenizer.json"))
    _write(folder, "tokenizer_config.json", {"tokenizer_class": "ParakeetTokenizerFast", "unk_token": "<unk>",
                                             "pad_token": "<pad>", "processor_class": "ParakeetProcessor"})  # fmt: skip
    extractor = {"feature_extractor_type": "ParakeetFeatureExtractor", "feature_size": 80, "hop_length": 160,
                 "n_fft": 512, "padding_side": "right", "padding_value": 0.0, "preemphasis": 0.97,
                 "processor_class": "ParakeetProcessor", "return_attention_mask": True, "sampling_rate": 16000,
                 "win_length": 400}  # fmt: skip
    _write(folder, "preprocessor_config.json", extractor)
    encoder = transformers.ParakeetEncoderConfig(subsampling_conv_channels=16, **SIZES)
    config = transformers.ParakeetCTCConfig(
        vocab_size=len(PIECES) + 1, pad_token_id=len(PIECES), encoder_config=encoder.to_dict()
    )
    return transformers.ParakeetForCTC(config)


def _characters(folder: Path, labels: list[str], names: dict[str, Any]) -> None:
    _write(folder, "vocab.json", {label: number for number, label in enumerate(labels)})
    _write(folder, "tokenizer_config.json", names)
    special = {key: value for key, value in names.items() if value and key.endswith(("k_token", "d_token", "s_token"))}
    _write(folder, "special_tokens_map.json", special)


def _write(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def torchaudio_module() -> torch.nn.Module:
    """A small untrained wav2vec 2.0 of torchaudio's, with a head for CHARACTERS."""
    torch.manual_seed(0)
    module: torch.nn.Module = import_torchaudio().models.wav2vec2_model(
        extractor_mode="group_norm", extractor_conv_layer_config=[(32, 10, 5), (32, 8, 4), (32, 16, 16)],
        extractor_conv_bias=False, encoder_embed_dim=32, encoder_projection_dropout=0.0, encoder_pos_conv_kernel=16,
        encoder_pos_conv_groups=4, encoder_num_layers=2, encoder_num_heads=2, encoder_attention_dropout=0.0,
        encoder_ff_interm_features=64, encoder_ff_interm_dropout=0.0, encoder_dropout=0.0,
        encoder_layer_norm_first=False, encoder_layer_drop=0.0, aux_num_out=len(CHARACTERS),
    ).eval()  # fmt: skip
    return module
