"""A minimal page with a canvas: it shows only the size of the drawing. The lower limit for any page of this kind.

streamlit run benchmarks/bare_page.py
"""

import streamlit as st
from streamlit_drawable_canvas import st_canvas

SIDE = 320
BRUSH = 20


@st.fragment
def board() -> None:
    drawn = st_canvas(stroke_width=BRUSH, width=SIDE, height=SIDE, return_image_data=True, key="pad")
    with st.container(key="echo"):
        st.html(f"<div>{len(drawn.image_bytes or b'')}</div>")


board()
