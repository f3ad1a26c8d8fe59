Gem::Specification.new do |s|
  s.required_ruby_version = ">= 2.7"
  s.files = `git ls-files`.split
end
