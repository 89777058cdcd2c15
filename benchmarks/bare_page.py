"""The barest page with a canvas: it echoes how large the drawing is. What any page of this kind takes at least.

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
