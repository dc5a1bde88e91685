"""The lab's pages, made anew from what its page and its contract say: no ids, no sessions, `mapping` sent back."""

import streamlit as st
from api import URL, flags, get, post, stream


def rated(rating: str) -> None:
    shown = st.session_state.shown
    post(
        "/feedback",
        {"input_text": shown["text"], "response_text": shown["a"], "rating": rating, "feature": "summarize"},
    )
    st.session_state.thanks = "Thanks for the feedback!"


def preferred(side: str) -> None:
    shown = st.session_state.shown
    texts = {"input_text": shown["text"], "response_a": shown["a"], "response_b": shown["b"]}
    answer = post("/feedback/ab", {"preference": side, "prompt_mapping": shown["mapping"], **texts})
    mapping = answer["prompt_mapping"]
    st.session_state.thanks = f"Response A was {mapping['a']}, Response B was {mapping['b']}."


def summarization() -> None:
    st.title("Summarization")
    on = flags()
    if not on.get("summarize"):
        st.warning("Summarization is off.")
        return
    text = st.text_area("Text")
    if st.button("Summarize"):
        comparing = bool(on.get("feedback") and on.get("ab_testing"))
        shown = {"text": text, "a": "", "b": "", "mapping": None}
        columns = st.columns(2) if comparing else [st.container()]
        places = {side: column.empty() for side, column in zip("ab", columns, strict=False)}
        for event in stream("/summarize/ab" if comparing else "/summarize", {"prompt": text}):
            if event.get("type") == "ab_config":
                shown["mapping"] = event["mapping"]
            side = event.get("variant", "a")
            shown[side] += event.get("delta", "")
            places[side].markdown(f"Response {side.upper()}: {shown[side]}")
        st.session_state.update(shown=shown, thanks="")
    if shown := st.session_state.get("shown"):
        if st.session_state.thanks:
            st.success(st.session_state.thanks)
        elif shown["mapping"]:
            for column, side in zip(st.columns(2), "ab", strict=True):
                column.button(f"{side.upper()} is better", on_click=preferred, args=(side,))
        elif on.get("feedback"):
            st.write("Was this summary helpful?")
            st.button("👍", on_click=rated, args=("thumbs_up",))
            st.button("👎", on_click=rated, args=("thumbs_down",))


def feedback() -> None:
    st.title("Feedback")
    entries = get("/feedback")["feedback"]
    ratings = [entry["rating"] for entry in entries]
    counts = (len(entries), ratings.count("thumbs_up"), ratings.count("thumbs_down"))
    for column, name, count in zip(st.columns(3), ("Total", "Positive", "Negative"), counts, strict=True):
        column.metric(name, count)
    wanted = st.radio("Show", ["All", "Positive", "Negative"])
    names = {"Positive": "thumbs_up", "Negative": "thumbs_down"}
    shown = [entry for entry in entries if entry["rating"] == names.get(wanted, entry["rating"])]
    st.caption(f"{len(shown)} shown")
    for entry in shown[:20]:
        with st.expander(f"{entry['rating']}: {entry['input_text'][:40]}"):
            st.write(entry["response_text"])
    st.header("A/B Prompt Comparison Results")
    results = get("/feedback/ab")
    for column, name in zip(st.columns(3), ("prompt_a_wins", "prompt_b_wins", "ties"), strict=True):
        column.metric(name, results[name])
    if counts[2]:
        st.header("Export for Evaluation")
        st.markdown(f"[feedback-eval-dataset.yaml]({URL}/feedback/export)")


st.navigation([st.Page(summarization, default=True), st.Page(feedback)]).run()
