/*-------------------------------------------------------------------------
 *
 * qr.c
 *		A text as a code to be scanned, drawn as SVG.
 *
 * libqrencode makes it, which is loaded when somebody asks for one: neither
 * the server nor the process that sends depends on its being there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dlfcn.h>

#include "lib/stringinfo.h"

#include "admin/admin.h"

#define LIBRARY	"libqrencode.so.4"

/* As qrencode.h of that library has them (version 4). */
typedef struct Code
{
	int			version;
	int			width;
	unsigned char *data;
} Code;

typedef Code *(*Encode) (const char *text, int version, int correction);
typedef void (*Free) (Code *code);

#define CORRECTION_M	1		/* 15 % of it may be dirty */

/* White around it, in modules: the standard's least (ISO/IEC 18004). */
#define MARGIN	4

/* The lowest bit of a module says whether it is black. */
static bool
is_black(const Code *code, int x, int y)
{
	return code->data[y * code->width + x] & 1;
}

/* Each run of black modules of a line is a box of the path. */
static char *
draw(const Code *code)
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

/*
 * The text as a code, palloc()ed.  Raises an error for a text that is too long
 * for one, and where the library is not there.
 */
char *
wa_admin_qr(const char *text)
{
	/* it stays: to load it again costs more than it takes */
	void	   *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	Encode		encode = library ? (Encode) dlsym(library, "QRcode_encodeString8bit") : NULL;
	Free		release = library ? (Free) dlsym(library, "QRcode_free") : NULL;
	Code	   *code;
	char	   *volatile svg = NULL;

	if (encode == NULL || release == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("could not load %s, which draws the code", LIBRARY),
				 errdetail("wa_opt_in_link() gives the link as text."),
				 errhint("Install libqrencode on the database server (Debian: libqrencode4).")));
	code = encode(text, 0, CORRECTION_M);
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
		release(code);
	}
	PG_END_TRY();
	return svg;
}
