"""Tests of the detection of layers that give tokens."""

from torch import nn
from torchvision.models import VisionTransformer

from heatmark.common.features import TokenLayout
from heatmark.methods.external.structure import gives_tokens


def test_a_transformers_blocks_give_tokens_and_its_convolutions_do_not():
    vit = VisionTransformer(8, 4, 1, 1, 4, 4, num_classes=3)
    assert gives_tokens(vit, "encoder.layers.encoder_layer_0.ln_1")
    assert not gives_tokens(vit, "conv_proj")


def test_without_attention_the_models_own_word_counts():
    mixer = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.LayerNorm(4))
    assert not gives_tokens(mixer, "1")
    mixer.token_layout = TokenLayout(class_tokens=0)
    assert gives_tokens(mixer, "1")
    assert not gives_tokens(mixer, "0")
