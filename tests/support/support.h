/* support.h - what several unit tests share is declared in this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SUPPORT_H
#define HEAPYARD_SUPPORT_H

#endif
