"""SOAP as IHE profiles it (ITI TF-2, appendix V): SOAP 1.2, WS-Addressing, MTOM/XOP; in and out."""
