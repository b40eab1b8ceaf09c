#ifndef LIMPET_RESP_H
#define LIMPET_RESP_H
#endif
