/*-------------------------------------------------------------------------
 *
 * qr.c
 *		A text as a code to be scanned, drawn as SVG.
 *
 * libqrencode makes it, where the build has found that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "deliver/qr.h"

#ifdef WA_QRENCODE
#include <qrencode.h>

/* White around it, in modules: the standard's least (ISO/IEC 18004). */
#define MARGIN	4

/* The lowest bit of a module says whether it is black. */
static bool
is_black(const QRcode * code, int x, int y)
{
	return code->data[y * code->width + x] & 1;
}

/* Each run of black modules of a line is a box of the path. */
static char *
draw(const QRcode * code)
{
	int			size = code->width + 2 * MARGIN;
	StringInfoData svg;

	initStringInfo(&svg);
	appendStringInfo(&svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40mm\" height=\"40mm\" viewBox=\"0 0 %d %d\""
					 " shape-rendering=\"crispEdges\"><rect width=\"%d\" height=\"%d\" fill=\"#fff\"/><path d=\"",
					 size, size, size, size);
	for (int y = 0; y < code->width; y++)
		for (int x = 0; x < code->width; x++)
		{
			int			from = x;

			while (x < code->width && is_black(code, x, y))
				x++;
			if (x > from)
				appendStringInfo(&svg, "M%d,%dh%dv1h-%dz", from + MARGIN, y + MARGIN, x - from, x - from);
		}
	appendStringInfoString(&svg, "\"/></svg>");
	return svg.data;
}
#endif

/*
 * The text as a code, palloc()ed, or NULL where this was built without the
 * library.  Raises an error for a text that is too long for one.
 */
char *
wa_deliver_qr(const char *text)
{
#ifdef WA_QRENCODE
	/* 15 % of it may be dirty */
	QRcode	   *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	char	   *volatile svg = NULL;

	if (code == NULL)
	{
		if (errno == ENOMEM)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a text of %zu bytes is too long for a code", strlen(text)),
				 errhint("Give a shorter body.")));
	}
	PG_TRY();
	{
		svg = draw(code);
	}
	PG_FINALLY();
	{
		QRcode_free(code);
	}
	PG_END_TRY();
	return svg;
#else
	return NULL;
#endif
}
