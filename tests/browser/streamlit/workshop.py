"""Today's workshop's chat and comparison, made anew from the contract: its routes, `trace_id` events and bodies."""

import uuid

import streamlit as st
from api import flags, post, stream

FEATURE = "summarization"


def rated(turn: int, rating: str) -> None:
    body = {"trace_id": st.session_state.trace_ids[turn], "rating": rating, "feature": FEATURE}
    post("/feedback", body)
    st.session_state.thanks[turn] = "Thank you!"


def preferred(side: str) -> None:
    shown = st.session_state.shown
    body = {"trace_id_a": shown["trace_id_a"], "trace_id_b": shown["trace_id_b"], "feature": FEATURE}
    post("/feedback/ab", {"preference": side, "prompt_mapping": shown["mapping"], **body})
    st.session_state.shown = None
    st.session_state.compared = "Your preference is recorded."


def chat() -> None:
    state = st.session_state
    for turn, message in enumerate(state.messages):
        with st.chat_message(message["role"]):
            st.markdown(message["content"])
            if turn in state.thanks:
                st.caption(state.thanks[turn])
            elif turn in state.trace_ids:
                st.button("👍", key=f"up{turn}", on_click=rated, args=(turn, "thumbs_up"))
                st.button("👎", key=f"down{turn}", on_click=rated, args=(turn, "thumbs_down"))
    if text := st.chat_input("Message"):
        state.messages.append({"role": "user", "content": text})
        answer, trace_id = "", None
        with st.chat_message("assistant"):
            place = st.empty()
            body = {"messages": state.messages, "session_id": state.session_id}
            for event in stream("/summarization/chat", body):
                if event.get("type") == "trace_id":
                    trace_id = event["trace_id"]
                answer += event.get("delta", "")
                place.markdown(answer)
        state.messages.append({"role": "assistant", "content": answer})
        if trace_id:
            state.trace_ids[len(state.messages) - 1] = trace_id
        st.rerun()


def compare() -> None:
    state = st.session_state
    text = st.text_area("Text")
    if st.button("Compare"):
        shown: dict[str, str] = {"a": "", "b": ""}
        places = {side: column.empty() for side, column in zip("ab", st.columns(2), strict=True)}
        for event in stream("/summarization/ab", {"prompt": text}):
            if event.get("type") == "ab_config":
                shown["mapping"] = event["mapping"]
            elif event.get("type") in {"trace_id_a", "trace_id_b"}:
                shown[event["type"]] = event["trace_id"]
            elif "delta" in event:
                shown[event["variant"]] += event["delta"]
                places[event["variant"]].markdown(f"Response {event['variant'].upper()}: {shown[event['variant']]}")
        state.update(shown=shown, compared="")
    if state.shown:
        for column, side in zip(st.columns(2), "ab", strict=True):
            column.button(f"{side.upper()} is better", on_click=preferred, args=(side,))
    elif state.compared:
        st.success(state.compared)


for name, value in {"messages": [], "trace_ids": {}, "thanks": {}, "shown": None, "compared": ""}.items():
    st.session_state.setdefault(name, value)
st.session_state.setdefault("session_id", str(uuid.uuid4()))
st.title("Canopy")
on = flags()
if not on.get(FEATURE):
    st.warning("Summarization is off.")
elif on.get("ab_testing") and st.toggle("Compare two prompts"):
    compare()
else:
    chat()
