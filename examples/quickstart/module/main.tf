# terraform_data is built into Terraform: the state is real, nothing outside is touched.
variable "cidr" {
  type = string
}

variable "zones" {
  type    = number
  default = 2
}

resource "terraform_data" "subnet" {
  count = var.zones
  input = cidrsubnet(var.cidr, 8, count.index)
}

output "subnets" {
  value = terraform_data.subnet[*].output
}
