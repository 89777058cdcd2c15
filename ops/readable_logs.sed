# JSON lines (json_logs.py) as a person reads them: time, level, part, message, ids. Other lines stay.
# Compose 2.26 clears the line of a terminal, even where there is none.
s/\x1b\[2K//
s/\{"time": "([^"]*)", "level": "([^"]*)", "part": "([^"]*)", "message": "(([^"\\]|\\.)*)"(.*)\}$/\1 \2 \3: \4\6/
T
s/, "(logger|listener|route|status|seconds|upstream_seconds)": ("[^"]*"|[0-9.]+)//g
s/, "[a-z_]+": ""//g
s/, "([a-z_]+)": "(([^"\\]|\\.)*)"/ \1=\2/g
s/\\n/\n/g
s/\\(["\\])/\1/g
