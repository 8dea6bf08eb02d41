"""Encoders and decoders, built-in ones and those of the program."""

from __future__ import annotations

from peerix.media.codecs.audio_encoders import fixed_encoder, opus_encoder
from peerix.media.codecs.decoders import audio_decoder, video_decoder
from peerix.media.codecs.video_encoders import Av1Encoder, H264Encoder, Vp8Encoder, Vp9Encoder
from peerix.rtc.codec_registry import (
    AudioDecoder,
    AudioEncoder,
    Decoder,
    Encoder,
    EncoderSettings,
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
register_decoder("audio/opus", audio_decoder("libopus", 48_000, 2))
register_decoder("audio/G722", audio_decoder("g722", 16_000, 1))
register_decoder("audio/PCMU", audio_decoder("pcm_mulaw", 8_000, 1))
register_decoder("audio/PCMA", audio_decoder("pcm_alaw", 8_000, 1))
