"""PIX and PDQ over HL7 v2 (IHE ITI TF-2: 3.8, 3.9, 3.10, 3.21, 3.30, 3.64), whichever listener brings them.

A feed's effects are committed before it is answered; a question is answered from what is committed.
"""
