import Images

extension ImageReader: ChunkSource {}
