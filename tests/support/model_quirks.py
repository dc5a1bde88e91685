"""What real model servers send that is neither quite right nor, in one half of the cases, an answer.

Inputs of our own, of the kinds that reports of vLLM, TGI, llama.cpp, Ollama, gateways and hosted services describe.
"""

import json
from typing import Any, NamedTuple

ANSWER = "Frogs sing at night 🌧 in June."
PIECES = ("Frogs", " sing", " at night", " 🌧", " in June.")
_SPLIT = ("Frogs sing at night \ud83c", "\udf27 in June.")  # the emoji's two halves


class Failure(NamedTuple):
    """A body with status 200 that must not pass for an answer."""

    body: bytes
    code: str  # of the error
    told: str = ""  # stands in the log, as the server's own words


def chunk(delta: Any, finish: Any = None, /, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more.pop("choice", {})}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 9, "model": "m", "choices": [choice], **more}


def say(text: Any) -> dict[str, Any]:
    return chunk({"content": text})


def data(*payloads: Any) -> bytes:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in payloads]
    return b"".join(b"data: " + line.encode() + b"\n\n" for line in lines)


def completion(text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE}


USAGE = {"prompt_tokens": 31, "completion_tokens": 8, "total_tokens": 39}
START, STOP, DONE = chunk({"role": "assistant", "content": ""}), chunk({}, "stop"), "[DONE]"
WORDS = [say(piece) for piece in PIECES]
TEXT = data(START, *WORDS)
END = data(STOP, DONE)


def thinking(*pieces: str) -> bytes:
    """A stream of these pieces, all of them content."""
    return data(START, *map(say, pieces)) + END


THOUGHT = "They want frogs."
UNOPENED = thinking(THOUGHT, "\n</think>", "\n\n", *PIECES)  # the prompt's template ends with `<think>`

# Bodies that say ANSWER, all of it and nothing else.
ANSWERS: dict[str, bytes] = {
    "as OpenAI has it": TEXT + data(STOP, {"choices": [], "usage": USAGE}, DONE),
    "no end of the last line": (TEXT + data(STOP)).rstrip(b"\n"),
    "a byte order mark": b"\xef\xbb\xbf" + TEXT + END,
    "empty data": b"data:\n\n" + TEXT + b"data: \n\n" + END,
    "a ping that is no JSON": b"event: ping\ndata: 10:04:11\n\n" + TEXT + END,
    "a ping that looks like an error": b'event: heartbeat\r\ndata: {"message": "alive"}\r\n\r\n' + TEXT + END,
    "a ping without choices": data({"type": "ping"}) + TEXT + END,
    "fields and comments in CRLF": b": hi\r\n\r\n" + TEXT.replace(b"\n", b"\r\n") + b"id: 4\r\nretry: 9\r\n" + END,
    "choices that are null": TEXT + data({"choices": None, "usage": None}) + END,
    "a delta that is null": TEXT + data(chunk(None, "stop"), DONE),
    "no delta at the end": TEXT + data({"choices": [{"index": 0, "finish_reason": "stop"}]}),
    "an empty finish reason": data(START, *(chunk({"content": it}, "") for it in PIECES)) + END,
    "errors that are null": data(*(it | {"error": None} for it in WORDS), chunk({}, "stop", choice={"error": None})),
    "half a character in each of two chunks": data(*map(say, _SPLIT)) + END,
    "content in parts": data(
        say([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]),
        *(say([{"type": "text", "text": piece}]) for piece in PIECES),
    )
    + END,
    "errors that say nothing": data(
        *(it | {"error": {"message": "", "type": "", "code": None}, "base_resp": {"status_code": 0}} for it in WORDS),
        chunk({"error": ""}, "stop", choice={"errors": [], "native_finish_reason": "STOP"}, usage={"errors": 0}),
    ),
    "a greeting beside the choices": data(*(it | {"code": 0, "message": "Success"} for it in WORDS))
    + data(STOP, {"code": 0, "message": "Success", "choices": [], "usage": USAGE}),
    "tokens that are called errors": data(
        *(it | {"choices": [it["choices"][0] | {"logprobs": {"top_logprobs": [{"error": -1.5}]}}]} for it in WORDS)
    )
    + END,
    "another choice beside": data(
        *(it | {"choices": [{"index": 1, "delta": {"content": "No. "}}, *it["choices"]]} for it in WORDS)
    )
    + END,
    "another choice before": data(chunk({"content": "No."}, choice={"index": 1})) + TEXT + END,
    "a choice that is counted from 1": data(
        *(it | {"choices": [it["choices"][0] | {"index": 1}]} for it in [*WORDS, STOP])
    ),
    "the model's mark of its end": TEXT + data(say("<|im_end|>")) + END,
    "chunks that don't say that they are data": b"".join(json.dumps(it).encode() + b"\n" for it in [*WORDS, STOP]),
    "a completion that is no stream": json.dumps(completion(ANSWER)).encode(),
    "a completion over many lines": json.dumps(completion(ANSWER, reasoning_content="Hm."), indent=2).encode() + b"\n",
    "thoughts in a field": data(chunk({"reasoning_content": "Hm."}), chunk({"reasoning": "Well."})) + TEXT + END,
    "thoughts between tags": thinking("<think>", "Answer: C? ", "</think>\n\n", *PIECES),
    "tags in pieces": thinking("\n<", "thi", "nk>Let me", " see </th", "ink", ">", "\n", *PIECES),
    "tags and the answer in one piece": thinking(f"<think>\nHm.\n</think>\n\n{ANSWER}"),
    "two thoughts": thinking("<thinking>a</thinking> ", "<think>b</think>", *PIECES),
    "empty thoughts": thinking("<think>\n\n</think>\n\n", *PIECES),
    "thoughts in thoughts": thinking(f"<think>a <think>b</think> c</think>{ANSWER}"),
    "thoughts in thoughts, in pieces": thinking("<th", "ink>a <thi", "nk>b</thi", "nk> c</", "think>", *PIECES),
    "thoughts about their tag": thinking("<think>The <think> tag ", "opens.</think>\n", *PIECES),
    "a tag with attributes": thinking("<think ", "foo='1'", ">Hm.</think>", *PIECES),
    "Cohere's thoughts": thinking("<|START_", "THINKING|>H\u00f6m <|END_THINK", "ING|>", *PIECES),
    "marks of the end behind the text": thinking(f"{ANSWER}</s><|im_end|>\n"),
    "a mark of the end in pieces": thinking(*PIECES, "<", "|eot", "_id|>"),
    "a mark of the end in a whole answer": json.dumps(completion(f"{ANSWER}<|end|>")).encode(),
    "lines that end in CR": (data(START, *WORDS) + END).replace(b"\n", b"\r"),
    "data over several lines": b"".join(
        b"data: " + json.dumps(it, indent=1).encode().replace(b"\n", b"\ndata: ") + b"\n\n" for it in [*WORDS, STOP]
    ),
    "thoughts in brackets": thinking("[THINK]Hm", ".[/THINK]", *PIECES),
    "harmony in pieces": thinking(
        *("<|chan", "nel|>", "analysis", "<|message|>", "Hm <", "b> <|end|>", "<|start|>assistant<|channel|>"),
        *("fi", "nal<|message|>", *PIECES, "<|return|>"),
    ),
    "harmony with commentary": thinking(
        "<|start|>assistant<|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>"
        f"<|channel|>final<|message|>{ANSWER}"
    ),
}

# Bodies after which the tokens are counted: 31 and 8.
USAGES: dict[str, bytes] = {
    "usage beside an empty choice": TEXT + data(STOP, chunk({}, None, usage=USAGE), DONE),
    "usage with the text": data(*(it | {"usage": USAGE} for it in WORDS)) + END,
    "usage, then chunks without": TEXT + data(chunk({}, "stop", usage=USAGE), chunk({"content": ""}, usage=None), DONE),
    "usage in fractions": TEXT + data(STOP, {"choices": [], "usage": {k: float(v) for k, v in USAGE.items()}}),
    "usage in words": TEXT + data(STOP, {"choices": [], "usage": {k: str(v) for k, v in USAGE.items()}}),
    "usage of a completion": ANSWERS["a completion that is no stream"],
}

_BROKE = {"code": 502, "message": "backend pod left"}
FAILURES: dict[str, Failure] = {
    **{
        f"the finish reason {reason}": Failure(TEXT + data(chunk({}, reason), DONE), "model_error", reason)
        for reason in ("error", "abort", "ERROR", "insufficient_system_resource", "moonphase")
    },
    "a filter at the end": Failure(TEXT + data(chunk({}, "content_filter"), DONE), "model_content_filtered", "filter"),
    "a filter in an error": Failure(
        data({"error": {"message": "The text breaks a rule.", "code": "content_filter"}}),
        "model_content_filtered",
        "breaks a rule",
    ),
    "an error beside the choices": Failure(
        TEXT + data(chunk({"content": ""}, "error", error=_BROKE), DONE), "model_error", "backend pod left"
    ),
    "an error beside no choices": Failure(TEXT + data({"choices": [], "error": _BROKE}), "model_error", "backend pod"),
    "an error in a choice": Failure(
        TEXT + data(chunk({}, "stop", choice={"error": _BROKE}), DONE), "model_error", "backend pod"
    ),
    **{
        f"an error under {place}": Failure(TEXT + data(broken, STOP, DONE), "model_error", "backend pod left")
        for place, broken in {
            "a delta": chunk({"content": "", "error": _BROKE}),
            "a name of the gateway": START | {"x_groq": {"id": "r", "error": "backend pod left"}},
            "the usage": {"choices": [], "usage": USAGE | {"error": _BROKE}},
            "the second choice": START | {"choices": [*START["choices"], {"index": 1, "delta": {}, "error": _BROKE}]},
            "no choice, flat": {"object": "error", "choices": [], "message": "backend pod left"},
            "msg": {"code": 500, "msg": "backend pod left"},
            "a status": START | {"status_code": 500, "message": "backend pod left"},
            "a status of its own": START | {"base_resp": {"status_code": 1027, "status_msg": "backend pod left"}},
            "success": {"success": False, "description": "backend pod left"},
            **{
                name: {name: "backend pod left"}
                for name in ("error_message", "errorMessage", "exception", "fault", "Error", "ERROR", "errMsg")
            },
            "Fault": {"Fault": {"faultstring": "backend pod left"}},
            "is_error": START | {"is_error": True, "message": "backend pod left"},
            "a type": {"type": "Error", "choices": None, "Message": "backend pod left"},
        }.items()
    },
    "an error in a whole answer": Failure(
        json.dumps(completion(ANSWER, error=_BROKE)).encode(), "model_error", "backend pod left"
    ),
    "another choice that was filtered": Failure(
        TEXT + data(START | {"choices": [{"index": 1, "finish_reason": "content_filter"}]}, STOP),
        "model_content_filtered",
        "filter",
    ),
    "a native error beside a good end": Failure(
        TEXT + data(chunk({}, "stop", choice={"native_finish_reason": "error"}), DONE), "model_error", "error"
    ),
    "an error event in capitals": Failure(
        TEXT + b'event: Error\ndata: {"message": "slot lost"}\n\n' + END, "model_error", "slot lost"
    ),
    "an error event of another name": Failure(
        TEXT + b'event: response.failed\ndata: {"message": "slot lost"}\n\n' + END, "model_error", "slot lost"
    ),
    "an error after the end": Failure(TEXT + data(STOP, {"error": _BROKE}, DONE), "model_error", "backend pod"),
    "an error event in words": Failure(TEXT + b"event: error\ndata: too slow\n\n", "model_error", "too slow"),
    "an error event in CRLF": Failure(TEXT + b'event:error\r\ndata:{"a":1}\r\n\r\n', "model_error"),
    "an error event with an error": Failure(
        TEXT + b'event: error\ndata: {"error": "shard lost", "error_type": "generation"}\n\n',
        "model_error",
        "shard lost",
    ),
    "an error line": Failure(TEXT + b'error: {"code": 500, "message": "slot lost"}\n\n', "model_error", "slot lost"),
    "a flat error": Failure(
        TEXT + data({"object": "error", "message": "worker died", "code": 500}, DONE), "model_error", "worker died"
    ),
    "an error in a string": Failure(TEXT + data({"error": "worker died"}), "model_error", "worker died"),
    "a detail": Failure(TEXT + data({"detail": "Worker died"}), "model_error", "Worker died"),
    "a list of details": Failure(
        data({"detail": [{"loc": ["body", "seed"], "msg": "no integer", "input": "A long text."}]}),
        "model_error",
        "body.seed: no integer",
    ),
    "an error without data": Failure(TEXT + b'{"error": "worker died"}\n', "model_error", "worker died"),
    "a JSON error as the whole": Failure(b'{"error": {"message": "no worker"}}', "model_error", "no worker"),
    "a JSON answer of another kind": Failure(b'{"choices": []}', "model_error"),
    "too long, in a string": Failure(
        data({"error": "This model's maximum context length is 900 tokens, but the prompt has 1200 input tokens."}),
        "prompt_too_long",
        "maximum context length",
    ),
    "too long, flat": Failure(
        data({"object": "error", "message": "Input validation error: `inputs` must have less than 900 tokens."}, DONE),
        "prompt_too_long",
        "must have less",
    ),
    "too long, as the whole": Failure(
        b'{"error": "Loaded with a context length of only 900 tokens, which is not enough."}',
        "prompt_too_long",
        "context length",
    ),
    "a web page": Failure(b"<!DOCTYPE html><html><body>Log in</body></html>", "model_error"),
    "a web page in the stream": Failure(TEXT + b"<html>504</html>\n", "model_error"),
    "only thoughts in a field": Failure(data(chunk({"reasoning_content": ANSWER})) + END, "model_reply_empty"),
    "only thoughts between tags": Failure(thinking("<think>", *PIECES, "</think>"), "model_reply_empty"),
    "thoughts without an end": Failure(thinking("<think>", *PIECES), "model_reply_empty"),
    "only harmony's analysis": Failure(thinking(f"<|channel|>analysis<|message|>{ANSWER}<|end|>"), "model_reply_empty"),
    "usage and no word": Failure(data(START, STOP, {"choices": [], "usage": USAGE}, DONE), "model_reply_empty"),
    "nothing but the end": Failure(data(DONE), "model_reply_empty"),
    "a completion that breaks off": Failure(b'{"choices": [{"message": {"content": "Frogs', "model_reply_truncated"),
}
