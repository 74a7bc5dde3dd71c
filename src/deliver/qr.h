/*-------------------------------------------------------------------------
 *
 * qr.h
 *		A text as a code to be scanned, drawn as SVG.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_QR_H
#define SICANTIK_WA_QR_H

#include "postgres.h"

extern char *wa_deliver_qr(const char *text);

#endif							/* SICANTIK_WA_QR_H */
