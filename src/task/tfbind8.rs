//! TFBind8: DNA 8-mers scored by binding affinity (METHOD.md).
