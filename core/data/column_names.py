"""What columns are called: their names by meaning, as core.data.recognise.folded writes them."""

from __future__ import annotations

import re

# Column names by meaning, most telling first.
PAIRS = (
    ("question", "first_answer"), ("query", "first_answer"), ("prompt", "first_answer"), ("input", "first_answer"),
    ("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("instruction", "response"),
    ("query", "response"), ("input", "output"), ("input", "target"), ("source", "target"), ("text", "summary"),
    ("document", "summary"), ("article", "highlights"), ("dialogue", "summary"), ("note", "fields"), ("mr", "ref"),
    ("source", "summary"), ("problem", "solution"), ("user", "assistant"), ("context", "response"),
    ("question", "response"), ("query", "answer"), ("prompt", "answer"), ("prompt", "output"), ("question", "answers"),
    ("input", "answer"), ("input", "ideal"), ("input", "response"), ("input", "completion"), ("text_input", "output"),
    ("question", "correct_answer"), ("question", "best_answer"),
    ("inputs", "targets"), ("inputs", "outputs"), ("inputs", "target"),
    ("instruction", "answer"), ("instruction", "completion"), ("problem", "answer"),
    ("source_text", "target_text"), ("src_text", "tgt_text"),
)  # fmt: skip
ASKED_ABOUT = ("context", "passage", "paragraph", "article", "document", "background")
LABELS = ("label", "category", "class", "tone", "intent", "sentiment", "emotion", "topic", "genre", "labels", "target")
TEXTS = (
    "text", "phrase", "sentence", "content", "message", "review", "utterance", "tweet", "title", "document", "body",
)  # fmt: skip
TALKS = ("messages", "conversations", "conversation", "turns", "chat", "dialog", "dialogue", "contents")
SPEAKERS = ("from", "role", "speaker", "author", "sender")
WORDS = ("value", "content", "text", "message", "utterance", "parts")
SYSTEMS = ("system", "system_prompt", "system_message", "systeminstruction", "system_instruction")
HISTORY = (
    "history", "chat_history", "dialogue_history", "dialog_history", "conversation_history", "previous_turns",
    "past_turns", "earlier_turns", "previous_messages", "past_messages", "earlier_messages", "prior_messages",
    "message_history", "messages_history", "history_messages", "prior_turns", "past_conversation",
    "previous_conversation", "context_messages", "conversations_history",
)  # fmt: skip
# Columns that may say whether an answer is a good one: those of which 0 and 1 say it, and those of which words do.
GOOD = (
    "desirable", "is_desirable", "desired", "is_desired", "kto_tag", "kto_label", "chosen", "is_chosen", "preferred",
    "is_preferred", "accepted", "is_accepted", "acceptable", "is_acceptable", "approved", "is_approved", "good",
    "is_good", "thumbs_up", "is_thumbs_up", "liked", "is_liked", "correct", "is_correct", "is_positive", "thumbs",
)  # fmt: skip
JUDGED = (*GOOD, "label", "labels", "feedback", "rating", "preference", "quality", "vote", "judgement", "judgment",
          "verdict", "annotation", "tag")  # fmt: skip
FLAGS = frozenset({"true", "false"})
JUDGEMENTS = (  # what such a column holds, if it holds nothing else: the good and the bad
    (FLAGS, JUDGED), (frozenset({"good", "bad"}), JUDGED), (frozenset({"desirable", "undesirable"}), JUDGED),
    (frozenset({"desired", "undesired"}), JUDGED), (frozenset({"chosen", "rejected"}), JUDGED),
    (frozenset({"accepted", "rejected"}), JUDGED), (frozenset({"preferred", "rejected"}), JUDGED),
    (frozenset({"preferred", "dispreferred"}), JUDGED), (frozenset({"like", "dislike"}), JUDGED),
    (frozenset({"liked", "disliked"}), JUDGED), (frozenset({"thumbs_up", "thumbs_down"}), JUDGED),
    (frozenset({"up", "down"}), JUDGED), (frozenset({"👍", "👎"}), JUDGED),
    (frozenset({"correct", "incorrect"}), JUDGED),
    (frozenset({"acceptable", "unacceptable"}), JUDGED), (frozenset({"1", "0"}), GOOD), (frozenset({"1", "-1"}), GOOD),
    (frozenset({"1.0", "0.0"}), GOOD), (frozenset({"yes", "no"}), GOOD),
)  # fmt: skip
TOOLS = ("tools", "functions", "available_tools")
TWO_TEXTS = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("text_a", "text_b"),
    ("text1", "text2"), ("text_1", "text_2"), ("sentence_a", "sentence_b"), ("sentence_1", "sentence_2"),
    ("query", "passage"), ("query", "document"), ("question", "sentence"), ("question", "passage"),
)  # fmt: skip
SCORES = (
    "label", "score", "similarity_score", "similarity", "relevance", "is_duplicate", "gold_label", "labels",
    "entailment", "relatedness_score", "entailment_judgment", "class", "target",
)  # fmt: skip
PREFERRED = (
    ("chosen", "rejected"), ("preferred", "rejected"), ("accepted", "rejected"), ("preferred", "dispreferred"),
    ("chosen_response", "rejected_response"), ("response_chosen", "response_rejected"),
    ("chosen_messages", "rejected_messages"), ("chosen_conversations", "rejected_conversations"),
)  # fmt: skip
PROMPTS = ("prompt", "question", "instruction", "query", "input")
TOKENS, TAGS = ("tokens", "words"), ("ner_tags", "tags", "ner", "labels", "bio_tags", "pos_tags")
# What a tokenizer makes of a text that stands beside: it is read anew.
TOKENISED = (
    "input_ids", "attention_mask", "token_type_ids", "special_tokens_mask", "position_ids", "labels", "length",
    "loss_mask", "completion_mask", "prompt_mask", "assistant_masks", "assistant_mask", "seq_lengths",
)  # fmt: skip
# Columns that core.data.reshape makes.
WITH_CHOICES, RIGHT_CHOICE, WHOLE = "question_and_choices", "right_choice", "whole_conversation"
_ISO = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st "
    "su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "eng fra fre deu ger spa ita por nld dut rus zho chi cmn jpn kor ara arb hin tur pol ces cze swe dan fin ell heb "
    "ukr ron hun vie tha ind fas ben urd swh swa cat bul hrv srp slk"
).split()
_LANGUAGE_NAMES = (
    "english french german spanish italian portuguese dutch russian chinese japanese korean arabic hindi turkish "
    "polish czech swedish danish norwegian finnish greek hebrew ukrainian romanian hungarian vietnamese thai "
    "indonesian persian bengali urdu swahili catalan bulgarian croatian serbian slovak"
).split()
# Codes such as en, pt-BR, eng, zho_Hans and en_XX, and names.
LANGUAGES = re.compile(
    rf"(?:{'|'.join(_ISO)})(?:[-_][A-Za-z]{{2,4}})?|[a-z]{{3}}(?:[-_][A-Z][a-z]{{3}})?|{'|'.join(_LANGUAGE_NAMES)}",
    re.IGNORECASE,
)
LANGUAGE_CODE = f"(?:{'|'.join(_ISO)})(?:[-_][a-z]{{2,4}})?|{'|'.join(_LANGUAGE_NAMES)}"
WORDS_TOO = ("id", "no", "is", "it", "am", "as", "so", "or", "to", "my", "he", "in")  # codes that are words as well
