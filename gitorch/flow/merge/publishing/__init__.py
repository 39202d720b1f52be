"""The last steps of a merge: signatures, proof, ref updates and notes. The refs are moved by `services`."""
