import Images

extension ImageReader: ChunkSource {}
extension LayerPrefix: ChunkSource {}
