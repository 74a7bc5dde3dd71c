# curve.awk -v name=NAME: an SVG picture of lines "series <tab> x <tab> y".
#
# Readable in light and dark: the colours follow what the reader prefers.

BEGIN {
	FS = "\t"
	title["backlog"] = "Rate beside messages that wait for a dead provider"; x_label["backlog"] = "messages waiting"
	title["ledger"] = "Rate beside messages that are over"; x_label["ledger"] = "messages in the ledger"
	title["snapshot"] = "Rate while a session holds an old snapshot"; x_label["snapshot"] = "messages sent since the snapshot was taken"
	title["volume"] = "Room that messages take, with autovacuum"; x_label["volume"] = "messages sent"; y_label["volume"] = "tables and indexes, MB"
	title["databases"] = "From a change to the wire, one of many databases"; x_label["databases"] = "databases"; y_label["databases"] = "milliseconds"
	width = 640; height = 360; left = 80; right = 130; top = 44; bottom = 56
}

{
	if (!($1 in number)) order[++nseries] = $1
	i = ++number[$1]
	x[$1, i] = $2 + 0; y[$1, i] = $3 + 0
	if ($2 + 0 > x_max) x_max = $2 + 0
	if ($3 + 0 > y_max) y_max = $3 + 0
}

# a round number at or above v / 5
function step(v,   s, m) {
	if (v <= 0) return 1
	s = v / 5; m = 10 ^ int(log(s) / log(10) - (s < 1))
	return (s <= m ? m : s <= 2 * m ? 2 * m : s <= 5 * m ? 5 * m : 10 * m)
}
function px(v) { return left + v / x_top * (width - left - right) }
function py(v) { return height - bottom - v / y_top * (height - top - bottom) }
function words(v,   s, t) {
	s = sprintf("%g", v)
	if (v < 1000 || v != int(v)) return s
	s = sprintf("%d", v); t = ""
	while (length(s) > 3) { t = "," substr(s, length(s) - 2) t; s = substr(s, 1, length(s) - 3) }
	return s t
}

END {
	x_step = step(x_max); y_step = step(y_max)
	for (x_top = 0; x_top < x_max; ) x_top += x_step
	for (y_top = 0; y_top < y_max; ) y_top += y_step
	if (x_top == 0) x_top = 1
	if (y_top == 0) y_top = 1
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", width, height, title[name]
	print "<style>"
	print "svg { background: #fff; color: #222; font: 13px sans-serif }"
	print "text { fill: currentColor } .axis { stroke: currentColor } .grid { stroke: currentColor; stroke-opacity: .15 }"
	print ".c1 { stroke: #0b62c4; fill: #0b62c4 } .c2 { stroke: #b3470a; fill: #b3470a } .c3 { stroke: #2e7d32; fill: #2e7d32 }"
	print "polyline { stroke-width: 2; fill: none !important }"
	print "@media (prefers-color-scheme: dark) { svg { background: #0d1117; color: #ddd } .c1 { stroke: #6cb0ff; fill: #6cb0ff } .c2 { stroke: #ff9d5c; fill: #ff9d5c } .c3 { stroke: #7ed285; fill: #7ed285 } }"
	print "</style>"
	printf "<text x=\"%d\" y=\"24\" font-weight=\"bold\">%s</text>\n", left, title[name]
	for (v = 0; v <= y_top + y_step / 2; v += y_step) {
		printf "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", left, width - right, py(v), py(v)
		printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left - 8, py(v) + 4, words(v)
	}
	for (v = 0; v <= x_top + x_step / 2; v += x_step)
		printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", px(v), height - bottom + 18, words(v)
	printf "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", left, width - right, height - bottom, height - bottom
	printf "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", left, left, top, height - bottom
	printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (left + width - right) / 2, height - 12, x_label[name]
	printf "<text transform=\"translate(18 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n", (top + height - bottom) / 2, (name in y_label) ? y_label[name] : "messages per second"
	for (s = 1; s <= nseries; s++) {
		k = order[s]
		printf "<polyline class=\"c%d\" points=\"", s
		for (i = 1; i <= number[k]; i++) printf "%.1f,%.1f ", px(x[k, i]), py(y[k, i])
		print "\"/>"
		for (i = 1; i <= number[k]; i++) printf "<circle class=\"c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", s, px(x[k, i]), py(y[k, i])
		printf "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", px(x[k, number[k]]) + 8, py(y[k, number[k]]) + 4, k
	}
	print "</svg>"
}
