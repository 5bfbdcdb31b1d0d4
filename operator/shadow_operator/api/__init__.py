"""The resource `ShadowDeployment`: its models, its words, and the files generated from them."""
