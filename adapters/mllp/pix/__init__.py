"""The identity endpoint `pix`: PIX and PDQ over MLLP, answered after the effects are committed."""
