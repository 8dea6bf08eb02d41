"""Encoders and decoders, built-in ones and those of the program.

Two decode Opus: libopus itself, where it is found, and FFmpeg's otherwise, or when the first is taken out:
``unregister_decoder("audio/opus", find_decoder("audio/opus"))``.
"""

from __future__ import annotations

from peerix.media.codecs.audio_encoders import fixed_encoder, opus_encoder
from peerix.media.codecs.decoders import audio_decoder, video_decoder
from peerix.media.codecs.libopus import load_libopus
from peerix.media.codecs.opus_decoder import opus_decoder
from peerix.media.codecs.video_encoders import Av1Encoder, H264Encoder, Vp8Encoder, Vp9Encoder
from peerix.rtc.codec_registry import (
    AudioDecoder,
    AudioEncoder,
    Decoder,
    Encoder,
    EncoderSettings,
    RecoveringDecoder,
    VideoDecoder,
    VideoEncoder,
    decodable,
    encodable,
    find_decoder,
    find_encoder,
    register_decoder,
    register_encoder,
    unregister_decoder,
    unregister_encoder,
)

__all__ = [
    "AudioDecoder",
    "AudioEncoder",
    "Decoder",
    "Encoder",
    "EncoderSettings",
    "RecoveringDecoder",
    "VideoDecoder",
    "VideoEncoder",
    "decodable",
    "encodable",
    "find_decoder",
    "find_encoder",
    "register_decoder",
    "register_encoder",
    "unregister_decoder",
    "unregister_encoder",
]

register_encoder("video/VP8", Vp8Encoder)
register_encoder("video/VP9", Vp9Encoder)
register_encoder("video/H264", H264Encoder)
register_encoder("video/AV1", Av1Encoder)
register_encoder("audio/opus", opus_encoder)
register_encoder("audio/G722", fixed_encoder("g722", 16_000))
register_encoder("audio/PCMU", fixed_encoder("pcm_mulaw", 8_000))
register_encoder("audio/PCMA", fixed_encoder("pcm_alaw", 8_000))

register_decoder("video/VP8", video_decoder("vp8"))
register_decoder("video/VP9", video_decoder("vp9"))
register_decoder("video/H264", video_decoder("h264"))
register_decoder("video/AV1", video_decoder("libdav1d"))
if load_libopus() is not None:
    register_decoder("audio/opus", opus_decoder)
register_decoder("audio/opus", audio_decoder("libopus", 48_000, 2), preference=-1)
register_decoder("audio/G722", audio_decoder("g722", 16_000, 1))
register_decoder("audio/PCMU", audio_decoder("pcm_mulaw", 8_000, 1))
register_decoder("audio/PCMA", audio_decoder("pcm_alaw", 8_000, 1))
