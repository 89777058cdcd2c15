from handler.errors import ClientError


def test_an_error_is_what_the_api_answers():
    error = ClientError(413, "ImageTooLarge", "The image has 5000x1 pixels.")
    assert error.as_dict() == {
        "code": 413,
        "type": "ImageTooLarge",
        "message": "The image has 5000x1 pixels.",
    }
    assert str(error) == "The image has 5000x1 pixels."


def test_an_error_within_a_document_says_where():
    error = ClientError(400, "NotAnImage", "Too short.").within("instances[3].image")
    assert error.as_dict() == {"code": 400, "type": "NotAnImage", "message": "instances[3].image: Too short."}
