"""Where networks come from: one file an origin.

``timm``, ``torchvision``  networks and weights of these libraries
``hub``                    networks of the Hugging Face hub, or of a folder in its form
``exported``               programs of `torch.export` (``network.pt2``)
``function``               what a function of a module returns (``module:function``)
``checkpoint``             what ``brainmark train`` wrote
``source``                 the interface that all of these have
``names``                  finds the source that a text such as ``timm/resnet18`` names
``torch_libraries``        imports torchvision, timm and transformers; no other file does
"""
