from noria.core.messages import ImagePart, Message, TextPart


def test_text_of_a_message_of_parts() -> None:
    message = Message(role="user", content=(TextPart(text="a"), ImagePart(url="data:,"), TextPart(text="b")))
    assert message.text == "ab"
