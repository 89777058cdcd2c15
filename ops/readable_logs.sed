# Convert JSON lines (json_logs.py) to text: time, level, part, message, ids. Other lines stay.
# Compose 2.26 sends the terminal code that clears a line, also without a terminal.
s/\x1b\[2K//
s/\{"time": "([^"]*)", "level": "([^"]*)", "part": "([^"]*)", "message": "(([^"\\]|\\.)*)"(.*)\}$/\1 \2 \3: \4\6/
T
s/, "(logger|listener|route|status|seconds|upstream_seconds)": ("[^"]*"|[0-9.]+)//g
s/, "[a-z_]+": ""//g
s/, "([a-z_]+)": "(([^"\\]|\\.)*)"/ \1=\2/g
s/\\n/\n/g
s/\\(["\\])/\1/g
