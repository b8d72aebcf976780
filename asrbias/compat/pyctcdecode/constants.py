"""pyctcdecode's default options, under its names."""

import math

DEFAULT_ALPHA = 0.5  # factor of the language model
DEFAULT_BETA = 1.5  # nats a word, with a language model
DEFAULT_UNK_LOGP_OFFSET = -10.0  # log10 units for a word that the model does not know, times alpha
DEFAULT_BEAM_WIDTH = 100  # hypotheses kept after each frame, and returned at most
DEFAULT_HOTWORD_WEIGHT = 10.0  # nats for each listed word
DEFAULT_PRUNE_LOGP = -10.0  # nats; a hypothesis this far below the best is dropped
DEFAULT_PRUNE_BEAMS = False  # whether of hypotheses that end alike only the best is returned
DEFAULT_MIN_TOKEN_LOGP = -5.0  # nats; labels below are skipped, but for a frame's best
DEFAULT_SCORE_LM_BOUNDARY = True  # whether <s> and </s> are scored

AVG_TOKEN_LEN = 6  # characters; an open unknown word that is longer costs more
MIN_TOKEN_CLIP_P = 1e-15  # no probability is taken to be less
LOG_BASE_CHANGE_FACTOR = 1.0 / math.log10(math.e)  # nats in a unit of log10
