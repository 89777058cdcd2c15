from handler.errors import ClientError


def test_as_dict_returns_the_fields_of_the_api():
    error = ClientError(413, "ImageTooLarge", "The image has 5000x1 pixels", "at most 4096 pixels per side")
    message = "The image has 5000x1 pixels. Accepted: at most 4096 pixels per side."
    assert error.as_dict() == {"code": 413, "type": "ImageTooLarge", "message": message}
    assert str(error) == message


def test_within_adds_the_place_in_the_document():
    error = ClientError(400, "NotAnImage", "Too short", "PNG").within("instances[3].image")
    message = "instances[3].image: Too short. Accepted: PNG."
    assert error.as_dict() == {"code": 400, "type": "NotAnImage", "message": message}
