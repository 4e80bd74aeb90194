"""
@inproceedings{Uddin2026,
  title = {Unsupervised Multi-Scale Segmentation of 3D Subcellular World with Stable Diffusion Foundation Model},
  author = {Uddin, Mostofa Rafid and Tabib and Nguyen and Gandhi and Xu, Min},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages = {22744--22752},
  year = {2026},
  doi = {10.1101/2025.06.25.661425}
}
@inproceedings{Zhang2024,
  title = {Deciphering 'What' and 'Where' Visual Pathways from Spectral Clustering of Layer-Distributed Neural Representations},
  author = {Zhang, Xiao and Yunis, David and Maire, Michael},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages = {4165--4175},
  year = {2024},
  doi = {10.48550/arXiv.2312.06716}
}
@inproceedings{Rombach2022,
  title = {High-Resolution Image Synthesis with Latent Diffusion Models},
  author = {Rombach, Robin and Blattmann, Andreas and Lorenz, Dominik and Esser, Patrick and Ommer, Bj{\\"o}rn},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages = {10684--10695},
  year = {2022},
  doi = {10.1109/CVPR52688.2022.01042}
}
@article{MartinezSanchez2024,
  title = {Simulating the Cellular Context in Synthetic Datasets for Cryo-Electron Tomography},
  author = {Martinez-Sanchez, Antonio and Lamm, Lorenz and Jasnin, Marion and Phelippeau, Harold},
  journal = {IEEE Transactions on Medical Imaging},
  volume = {43},
  number = {11},
  pages = {3742--3754},
  year = {2024},
  doi = {10.1109/TMI.2024.3398401}
}
@article{Grant2015,
  title = {Measuring the optimal exposure for single particle cryo-EM using a 2.6 {\\AA} reconstruction of rotavirus VP6},
  author = {Grant, Timothy and Grigorieff, Nikolaus},
  journal = {eLife},
  volume = {4},
  pages = {e06980},
  year = {2015},
  doi = {10.7554/eLife.06980}
}
@article{Gubins2020,
  title = {SHREC 2020: Classification in cryo-electron tomograms},
  author = {Gubins, Ilja and Chaillet, Marten L. and van der Schot, Gijs and Veltkamp, Remco C. and F{\\"o}rster, Friedrich and others},
  journal = {Computers and Graphics},
  volume = {91},
  pages = {279--289},
  year = {2020},
  doi = {10.1016/j.cag.2020.07.010}
}
@article{Liu2024,
  title = {DeepETPicker: Fast and accurate 3D particle picking for cryo-electron tomography using weakly supervised deep learning},
  author = {Liu, Guole and Niu, Tongxin and Qiu, Mengxuan and Zhu, Yun and Sun, Fei and Yang, Ge},
  journal = {Nature Communications},
  volume = {15},
  pages = {2090},
  year = {2024},
  doi = {10.1038/s41467-024-46041-0}
}
@article{Moebel2021,
  title = {Deep learning improves macromolecule identification in 3D cellular cryo-electron tomograms},
  author = {Moebel, Emmanuel and Martinez-Sanchez, Antonio and Lamm, Lorenz and Righetto, Ricardo D. and Wietrzynski, Wojciech and others},
  journal = {Nature Methods},
  volume = {18},
  pages = {1386--1394},
  year = {2021},
  doi = {10.1038/s41592-021-01275-4}
}
@inproceedings{Ronneberger2015,
  title = {U-Net: Convolutional Networks for Biomedical Image Segmentation},
  author = {Ronneberger, Olaf and Fischer, Philipp and Brox, Thomas},
  booktitle = {Medical Image Computing and Computer-Assisted Intervention (MICCAI)},
  pages = {234--241},
  year = {2015},
  doi = {10.1007/978-3-319-24574-4_28}
}
@inproceedings{Khosla2020,
  title = {Supervised Contrastive Learning},
  author = {Khosla, Prannay and Teterwak, Piotr and Wang, Chen and Sarna, Aaron and Tian, Yonglong and others},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  volume = {33},
  pages = {18661--18673},
  year = {2020},
  doi = {10.48550/arXiv.2004.11362}
}
@article{Pei2016,
  title = {Simulating cryo electron tomograms of crowded cell cytoplasm for assessment of automated particle picking},
  author = {Pei, Long and Xu, Min and Frazier, Zachary and Alber, Frank},
  journal = {BMC Bioinformatics},
  volume = {17},
  pages = {405},
  year = {2016},
  doi = {10.1186/s12859-016-1283-3}
}
@article{Passi2025,
  title = {3D Conditional Diffusion Models for Synthetic Cryo-ET Particle Subtomograms},
  author = {Passi and Cohen, Tomer},
  journal = {Zenodo},
  year = {2025},
  doi = {10.5281/zenodo.17726084}
}
@inproceedings{Ho2020,
  title = {Denoising Diffusion Probabilistic Models},
  author = {Ho, Jonathan and Jain, Ajay and Abbeel, Pieter},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  pages = {6840--6851},
  year = {2020},
  doi = {10.48550/arXiv.2006.11239}
}
@article{Zeng2020,
  title = {AITom: Open-source AI platform for cryo-electron tomography data analysis},
  author = {Zeng, Xiangrui and Xu, Min},
  journal = {arXiv},
  pages = {1911.03044},
  year = {2020},
  doi = {10.48550/arXiv.1911.03044}
}
@article{Li2024,
  title = {Vox-UDA: Voxel-wise Unsupervised Domain Adaptation for Cryo-Electron Subtomogram Segmentation with Denoised Pseudo-Labeling},
  author = {Li, Haoran and others},
  journal = {arXiv},
  pages = {2406.18610},
  year = {2024},
  doi = {10.48550/arXiv.2406.18610}
}
@article{Chen2018,
  title = {VoxResNet: Deep voxelwise residual networks for brain segmentation from 3D MR images},
  author = {Chen, Hao and Dou, Qi and Yu, Lequan and Qin, Jing and Heng, Pheng-Ann},
  journal = {NeuroImage},
  volume = {170},
  pages = {446--455},
  year = {2018},
  doi = {10.1016/j.neuroimage.2017.04.041}
}
@article{Zeng2024,
  title = {DUAL: deep unsupervised simultaneous simulation and denoising for cryo-electron tomography},
  author = {Zeng, Xiangrui and Ding, Yizhe and Zhang, Yueqian and Uddin, Mostofa Rafid and Dabouei, Ali and Xu, Min},
  journal = {bioRxiv},
  year = {2024},
  doi = {10.1101/2024.03.02.583135}
}
"""
